"""Talks to the vendor, and knows nothing of tables. Every request goes through `Transport.send`."""

from maestro_analytics.api.client import ApiClient

__all__ = ["ApiClient"]
