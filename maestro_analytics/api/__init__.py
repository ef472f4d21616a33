"""HTTP calls to the vendor's API, as plain values. Every request goes through `Transport.send`."""

from maestro_analytics.api.transport import Transport

__all__ = ["Transport"]
