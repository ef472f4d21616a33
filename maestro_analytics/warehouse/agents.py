"""Group ids into people: the tables `agents` and `agent_ids`.

The ids of one row of the groups export are one person's. Rows that share an id are one person, and so are rows that
share an e-mail address, in any case, unless their names and ids differ: a mailbox that several people use merges
nobody. An id that is in no group belongs to the person with the e-mail address of its newest grade, or is a person of
its own. A word that stands for no id, such as `undefined`, is not an id.
"""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl

from maestro_analytics.tables.schemas import AGENT_IDS, AGENTS, GRADE_TABLES
from maestro_analytics.warehouse.results import frame

NO_ID = {"", "undefined", "null", "none", "nan", "0", "-", "[]", "n/a", "unknown"}
"""Words that stand for no id, in lower case."""

_SEEN_IN_GRADES = (
    "select agent_id, max_by(agent_email, date_graded) as agent_email, max_by(agent_name, date_graded) as agent_name "
    "from total_scores group by agent_id"
)


def resolve(connection: duckdb.DuckDBPyConnection) -> None:
    """Rebuild the tables agents and agent_ids."""
    groups = frame(connection, "select agent_ids, agent_email, agent_name, available from agent_groups")
    in_grades = frame(connection, _SEEN_IN_GRADES)
    others = [f"select agent_id from {table.name}" for table in GRADE_TABLES[1:]]
    others += [f"select agent_id from {name}" for name in ("coaching_points", "coaching_sessions", "todos")]
    everywhere = frame(connection, f"select distinct agent_id from ({' union all '.join(others)}) where agent_id <> ''")
    agents, agent_ids = people_of(groups, in_grades, everywhere.get_column("agent_id").to_list())
    connection.execute("begin")
    for table, rows in ((AGENTS, agents), (AGENT_IDS, agent_ids)):
        connection.execute(f"delete from {table.name}")
        connection.register("resolved", rows)
        connection.execute(f"insert into {table.name} by name select * from resolved")
        connection.unregister("resolved")
    connection.execute("commit")


Fact = tuple[str, str | None, str | None, bool | None]
"""A name of a person (`_id` or `_address`), and the e-mail address, name and availability that a row gives it."""


def people_of(groups: pl.DataFrame, in_grades: pl.DataFrame, other_ids: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables agents and agent_ids.

    Args:
        groups: `agent_ids`, `agent_email`, `agent_name`, `available` of each row of the groups.
        in_grades: `agent_id`, and the `agent_email` and `agent_name` of its newest grade.
        other_ids: ids seen in other places.
    """
    people = _DisjointSets()

    members = [
        ([each for each in agent_ids or [] if is_id(each)], email, name, available)
        for agent_ids, email, name, available in groups.iter_rows()
    ]
    shared = _shared_addresses([(ids, email, name) for ids, email, name, _ in members])
    ids: set[str] = set()
    facts: list[Fact] = []
    for own_ids, email, name, available in members:
        names = [_id(each) for each in own_ids] + ([_address(email, name, shared)] if email else [])
        if names:
            people.join(*names)
            ids.update(own_ids)
            facts.append((names[0], email, name, available))
    found = [row for row in in_grades.sort("agent_id").iter_rows() if is_id(row[0])]
    unlisted = [([agent_id], email, name) for agent_id, email, name in found if agent_id not in ids]
    grouped_addresses = {_plain(email) for _, email, _, _ in members if email}
    shared |= _shared_addresses([row for row in unlisted if row[1] and _plain(row[1]) not in grouped_addresses])
    for (agent_id,), email, name in unlisted:
        people.join(_id(agent_id), *([_address(email, name, shared)] if email else []))
    of_grades: list[Fact] = [(_id(agent_id), email, name, None) for agent_id, email, name in found]
    for agent_id in [*(row[0] for row in found), *filter(is_id, other_ids)]:
        ids.add(agent_id)
        people.join(_id(agent_id))
    person_ids: dict[str, str] = {}
    for agent_id in sorted(ids):
        person_ids.setdefault(people[_id(agent_id)], agent_id)
    addresses: dict[str, Counter[str]] = {}
    for person_name, email, _, _ in facts:
        addresses.setdefault(people[person_name], Counter()).update([email.strip()] if email else [])
    taken = set(person_ids.values())
    for root, seen in addresses.items():
        if root not in person_ids:
            address = _most_used(seen) or ""
            # Several people without an id can share a mailbox; each keeps an id of its own.
            person_id = address if address not in taken else root
            taken.add(person_id)
            person_ids[root] = person_id
    in_groups = {people[person_name] for person_name, *_ in facts}
    facts += [fact for fact in of_grades if people[fact[0]] not in in_groups]
    by_root = [(people[person_name], email, name, available) for person_name, email, name, available in facts]
    return _agents(person_ids, by_root), pl.DataFrame(
        [(agent_id, person_ids[people[_id(agent_id)]]) for agent_id in sorted(ids)],
        AGENT_IDS.empty().schema,
        orient="row",
    )


class _DisjointSets:
    """Names of people, joined into sets; indexed by a name it gives the first name of the set.

    scipy has the same, and importing it takes 30 MiB and half a second of each refresh.
    """

    def __init__(self) -> None:
        self._earlier: dict[str, str] = {}

    def join(self, first: str, *others: str) -> None:
        """Make one set of the sets of these names; a name that is new is a set of its own."""
        for name in (first, *others):
            self._earlier.setdefault(name, name)
            one, other = self[first], self[name]
            self._earlier[other] = one

    def __getitem__(self, name: str) -> str:
        while (earlier := self._earlier[name]) != name:
            self._earlier[name] = self._earlier[earlier]
            name = earlier
        return name


def is_id(text: str) -> bool:
    """Whether a text of `agent_ids` is an id, and not a word such as `undefined`."""
    return text.strip().lower() not in NO_ID


def _shared_addresses(rows: list[tuple[list[str], str | None, str | None]]) -> set[str]:
    """The addresses that rows of different names and different ids have in common."""
    users: dict[str, list[tuple[set[str], str | None]]] = {}
    for ids, email, name in rows:
        if email and ids:
            users.setdefault(_plain(email), []).append((set(ids), _plain(name) if name else None))
    return {
        address
        for address, seen in users.items()
        if any(
            mine.isdisjoint(theirs) and name is not None and other is not None and name != other
            for number, (mine, name) in enumerate(seen)
            for theirs, other in seen[:number]
        )
    }


def _agents(person_ids: dict[str, str], facts: list[Fact]) -> pl.DataFrame:
    emails: dict[str, Counter[str]] = {root: Counter() for root in person_ids}
    names: dict[str, Counter[str]] = {root: Counter() for root in person_ids}
    available: dict[str, bool] = {}
    for root, email, name, is_available in facts:
        emails[root].update([email.strip()] if email else [])
        names[root].update([name] if name else [])
        if is_available is not None:
            available[root] = available.get(root, False) or is_available
    rows = [
        (person_id, _most_used(names[root]), _most_used(emails[root]), available.get(root))
        for root, person_id in person_ids.items()
    ]
    return pl.DataFrame(rows, AGENTS.empty().schema, orient="row").sort("person_id")


def _id(agent_id: str) -> str:
    # An id that looks like an e-mail address is the person with that address.
    return f"e-mail {_plain(agent_id)}" if "@" in agent_id else f"id {agent_id}"


def _address(email: str, name: str | None, shared: set[str]) -> str:
    """The name of the person with an address; in a shared mailbox the person's own name belongs to it."""
    address = _plain(email)
    return f"e-mail {address} of {_plain(name)}" if address in shared and name else f"e-mail {address}"


def _plain(text: str) -> str:
    return text.strip().lower()


def _most_used(counts: Counter[str]) -> str | None:
    """The text seen most often, the first in order of text where several are."""
    return min(counts, key=lambda text: (-counts[text], text)) if counts else None
