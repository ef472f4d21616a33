"""Check that the token and host belong to the account whose data a folder holds.

Every customer of the vendor has the same host, so that the host alone does not tell. An account is known by the
account prefix of its answer ids and by the ids and addresses of its people.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import polars as pl

from maestro_analytics.api import Transport, endpoints
from maestro_analytics.errors import (
    AnotherAccount,
    Cancelled,
    MaestroError,
    RequestRefused,
    SettingsError,
    TokenRefused,
)
from maestro_analytics.exports import PollPace
from maestro_analytics.exports.adhoc import export_once
from maestro_analytics.kinds import GROUPS
from maestro_analytics.settings import Settings, is_loopback
from maestro_analytics.tables.delivery import Delivery
from maestro_analytics.tables.reader import read_export
from maestro_analytics.warehouse import Master

Query = Callable[[str], pl.DataFrame]

SHARED_PEOPLE = 0.2
"""The share of the smaller of two sets of people that two states of one account have in common at least."""
SAMPLE = 100
_ROUNDS = 100_000

KNOWN_PREFIXES = """
select distinct split_part(id, '_', 1) as prefix
from (
    select answer_id as id from coaching_points
    union all
    select answer_id from todos
    union all
    select target_answer_id from total_scores
    union all
    select prefix || '_stored_' || 'once' from state.account
)
where regexp_full_match(id, '[0-9A-Za-z]{8,}_.+_.+')
"""
KNOWN_PEOPLE = """
select distinct lower(trim(id)) as person
from (
    select unnest(agent_ids) as id from agent_groups
    union all
    select agent_email from agent_groups
    union all
    select agent_id from total_scores
    union all
    select agent_email from total_scores
)
where trim(id) <> ''
"""


@dataclass
class Evidence:
    """What identifies an account: prefixes of answer ids, and people."""

    prefixes: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)


def check(
    query: Query,
    transport: Transport,
    settings: Settings,
    *,
    adopt: bool = False,
    pace: PollPace | None = None,
    stop: Event | None = None,
) -> str | None:
    """Check that a data folder belongs to the account of `settings`, before anything lands or is pushed.

    Asks the vendor only if the token or the host is another than at the last landing.

    Args:
        query: runs SQL on the master or the published database.

    Returns:
        a warning, or None.

    Raises:
        SettingsError: the folder holds another account's data, or this account's under another host and `adopt` is
            not set.
    """
    known = query("select * from state.account").row(0, named=True)
    host, port, salt, token_hash = (known.get(name) for name in ("host", "port", "token_salt", "token_hash"))
    if host is None or "prefix" not in known:
        return None  # nothing has landed, or the file was published by a version that did not know the account
    is_other_host = host != settings.host or (port not in (None, settings.port) and not is_loopback(settings.host))
    is_other_port = port not in (None, settings.port)
    if not is_other_host and not is_other_port and token_hash == _hash(settings.token, salt or ""):
        return None
    before = _known(query)
    now = Evidence(_asked_prefixes(transport, stop))
    if before.people and not (before.prefixes and now.prefixes):
        now.people = _people(transport, pace=pace, stop=stop)
    answer = _is_same(before, now)
    where = f"{settings.data.absolute()} holds the data of an account at {host}"
    if answer is False:
        raise AnotherAccount(
            f"{where}, and the token belongs to another account at {settings.host}: two accounts are never mixed, and "
            "nothing was changed. Set MAESTRO_DATA to another folder, or MAESTRO_API_TOKEN to a token of this account."
        )
    if is_other_host and not adopt:
        found = "the same account" if answer else "an account that cannot be compared with it"
        raise SettingsError(
            f"{where}, and MAESTRO_BASE_URL names {settings.host}, which has {found}. If the account has moved, run "
            "`maestro-analytics refresh --adopt` once; otherwise set MAESTRO_DATA to another folder."
        )
    if answer is None:
        return "the token is new, and neither answer ids nor people tell whether it belongs to the same account"
    return None


def check_file(query: Query, delivery: Delivery) -> str | None:
    """Check that a file that came another way is not of another account than what a data folder holds.

    Returns:
        a warning if nobody in the file is known and no answer id tells, else None.

    Raises:
        AnotherAccount: the file's answer ids have another account prefix.
    """
    before = _known(query)
    files = [file for staged in delivery.tables.values() for file in staged.files]
    frames = [pl.scan_parquet(file, glob=False, hive_partitioning=False) for file in files]
    now = Evidence(set(_prefixes(_values(frames, "target_answer_id"))), _people_in(frames))
    if before.prefixes and now.prefixes:
        if before.prefixes.isdisjoint(now.prefixes):
            raise AnotherAccount(
                f"{delivery.path.name} is of another account than the data folder: its answer ids begin with "
                f"{min(now.prefixes)}, and those that are here with {min(before.prefixes)}. Two accounts are never "
                "mixed: set MAESTRO_DATA to another folder."
            )
        return None
    if before.people and now.people and before.people.isdisjoint(now.people):
        return (
            f"nobody in {delivery.path.name} is known here, and no answer id tells of which account it is. If it is of "
            f"another one, delete {delivery.path} and run `maestro-analytics replay --without-missing`."
        )
    return None


def remember(master: Master, transport: Transport, settings: Settings) -> None:
    """Remember the host, a salted hash of the token and the account's prefix, for `check` in later runs."""
    query = master.query
    salt, token_hash, prefix = query("select token_salt, token_hash, prefix from state.account").row(0)
    if token_hash is not None and token_hash == _hash(settings.token, salt):
        return
    prefixes = _known(query).prefixes
    if not prefixes:
        with contextlib.suppress(MaestroError):
            prefixes = _asked_prefixes(transport, None)
    salt = secrets.token_hex(16)
    master.connection.execute(
        "update state.account set host = ?, port = ?, token_salt = ?, token_hash = ?, prefix = ?",
        [settings.host, settings.port, salt, _hash(settings.token, salt), min(prefixes, default=prefix)],
    )


def _hash(token: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", token.encode(), salt.encode(), _ROUNDS).hex()


def _known(query: Query) -> Evidence:
    return Evidence(set(query(KNOWN_PREFIXES)["prefix"]), set(query(KNOWN_PEOPLE)["person"]))


def _asked_prefixes(transport: Transport, stop: Event | None) -> set[str]:
    """The account prefixes of the answer ids in the first coaching records; empty where these name no answer."""
    for endpoint in (endpoints.GET_TODOS, endpoints.GET_COACHING_POINTS):
        try:
            page = transport.send(endpoint, {"count": SAMPLE}, stop=stop)
        except TokenRefused as error:
            if error.status != 403:
                raise
            continue
        except RequestRefused:
            continue
        records = page.get("Resources") if isinstance(page, dict) else None
        answer_ids = (record.get("answerId") for record in records or [] if isinstance(record, dict))
        if prefixes := set(_prefixes(answer_ids)):
            return prefixes
    return set()


def _prefixes(answer_ids: Iterable[object]) -> Iterator[str]:
    for answer_id in answer_ids:
        if isinstance(answer_id, str) and answer_id.count("_") >= 2:
            prefix = answer_id.partition("_")[0]
            if len(prefix) >= 8 and prefix.isalnum():
                yield prefix


def _people(transport: Transport, *, pace: PollPace | None, stop: Event | None) -> set[str]:
    """Ids and addresses of the people in the account's groups; empty if they cannot be exported."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            kept = export_once(transport, GROUPS.name, Path(folder), pace=pace, stop=stop)
            if not kept.files:
                return set()
            with read_export(kept.files[0], kind=GROUPS.name, staging=Path(folder) / "staging") as delivery:
                files = [file for staged in delivery.tables.values() for file in staged.files]
                return _people_in([pl.scan_parquet(file, glob=False, hive_partitioning=False) for file in files])
        except (Cancelled, SettingsError):
            raise
        except MaestroError:
            return set()


def _people_in(frames: Sequence[pl.LazyFrame]) -> set[str]:
    """Ids and addresses of the people in staged rows of any table, in lower case."""
    values = (value for name in ("agent_ids", "agent_id", "agent_email") for value in _values(frames, name))
    return {text for value in values if value and (text := str(value).strip().lower())}


def _values(frames: Sequence[pl.LazyFrame], name: str) -> Iterator[object]:
    """The values of a column, each once in a frame, of those frames that have it."""
    for frame in frames:
        if name in (schema := frame.collect_schema()):
            column = pl.col(name).explode() if schema[name] == pl.List else pl.col(name)
            yield from frame.select(column.unique()).collect().to_series()


def _is_same(before: Evidence, now: Evidence) -> bool | None:
    """Whether two pieces of evidence are of one account; None if that cannot be decided."""
    if before.prefixes and now.prefixes:
        return bool(before.prefixes & now.prefixes)
    if before.people and now.people:
        shared = len(before.people & now.people)
        return shared >= SHARED_PEOPLE * min(len(before.people), len(now.people))
    return None
