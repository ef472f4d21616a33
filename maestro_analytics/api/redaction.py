"""What may be shown of an answer, a URL or an exception: never a token, never the query of a presigned URL."""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from urllib.parse import quote, urlsplit

LONGEST_MESSAGE = 300
"""Characters of a vendor's message that are passed on."""

_URL_QUERY = re.compile(r"""((?:https?://|/)[^\s?"'<>]*)\?[^\s"'<>)]*""")
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])|\x9b[0-?]*[ -/]*[@-~]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\s\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
"""Control characters, and characters that hide text or reverse its direction."""
_MESSAGE_KEYS = (
    "message",
    "error",
    "errors",
    "detail",
    "details",
    "reason",
    "description",
    "error_description",
    "title",
)


def redact(text: str, *, token: str = "") -> str:
    """`text` on one line, clipped, without `token` and without the query of any URL in it."""
    if token:
        for spelling in (token, quote(token, safe="")):
            text = text.replace(spelling, "[token]")
    text = _without_query(text)
    text = _UNPRINTABLE.sub(" ", _ESCAPE_SEQUENCE.sub("", text)).strip()
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def _without_query(text: str) -> str:
    return _URL_QUERY.sub(r"\1?[...]", text)


def host_and_path(url: str) -> str:
    """A URL as it may be shown: no query, no fragment, no user."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that is not a URL"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def vendor_message(body: bytes, *, token: str = "") -> str:
    """What the vendor says in the body of a refusal, from JSON (`message`, `error`, ...) or from HTML; may be empty."""
    text = body[:20_000].decode("utf-8", errors="replace")
    try:
        said = _sentences(json.loads(body))
    except ValueError:
        said = [_TAG.sub(" ", text)]
    return redact("; ".join(dict.fromkeys(said)), token=token).rstrip(".")


def _sentences(answer: Any) -> list[str]:
    if isinstance(answer, str):
        return [answer] if answer.strip() else []
    if isinstance(answer, list):
        return [sentence for item in answer[:5] for sentence in _sentences(item)]
    if isinstance(answer, dict):
        found = [sentence for key in _MESSAGE_KEYS if key in answer for sentence in _sentences(answer[key])]
        return found or [f"{key}: {value}" for key, value in answer.items() if isinstance(value, str)]
    return []


class _WithoutQueries(logging.Filter):
    """Takes the query out of every URL that urllib3 logs: at level DEBUG it would write presigned ones."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _URL_QUERY.sub(r"\1?[...]", arg) if isinstance(arg, str) else arg for arg in record.args
            )
        return True


def quiet() -> None:
    """Make sure that urllib3's logger never writes a query. Called when this package first sends anything."""
    logger = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(existing, _WithoutQueries) for existing in logger.filters):
        logger.addFilter(_WithoutQueries())
