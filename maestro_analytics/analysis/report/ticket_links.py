"""Addresses of tickets in their helpdesk, from the setting MAESTRO_TICKET_URLS."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

PLACE = "{gradable_id}"


def ticket_link(addresses: Mapping[str, str], source: str | None, gradable_id: str) -> str | None:
    """The https address of a ticket; None where its source has none.

    Args:
        addresses: source in lower case -> address with `{gradable_id}` in it; see `Settings.ticket_urls`.
    """
    address = addresses.get((source or "").casefold())
    return address.replace(PLACE, quote(gradable_id, safe="")) if address else None
