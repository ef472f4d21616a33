"""Who is who: the ids that are one person.

A person has one id for each helpdesk. The groups export says which belong together: rows that share an id, or an
e-mail address in any case, are one person. An id that is in no group belongs to the person with the e-mail address of
its newest grade, or is a person of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import duckdb
import polars as pl

from maestro_analytics.tables.schemas import AGENT_IDS, AGENTS, GRADE_TABLES
from maestro_analytics.warehouse.connection import frame

_SEEN_IN_GRADES = (
    "select agent_id, max_by(agent_email, date_graded) as agent_email, max_by(agent_name, date_graded) as agent_name "
    "from total_scores group by agent_id"
)


class Sets:
    """Sets of names that grow together (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The name that stands for the set `name` is in."""
        root = self._parent.setdefault(name, name)
        while root != self._parent[root]:
            root = self._parent[root]
        while name != root:
            self._parent[name], name = root, self._parent[name]
        return root

    def join(self, names: Iterable[str]) -> None:
        """Make one set of those of `names`."""
        roots = sorted({self.find(name) for name in names})
        for root in roots[1:]:
            self._parent[root] = roots[0]

    def __contains__(self, name: str) -> bool:
        return name in self._parent


def resolve(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables agents and agent_ids anew."""
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


def people_of(groups: pl.DataFrame, in_grades: pl.DataFrame, other_ids: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables agents and agent_ids.

    Args:
        groups: `agent_ids`, `agent_email`, `agent_name`, `available` of each row of the groups.
        in_grades: `agent_id`, and the `agent_email` and `agent_name` of its newest grade.
        other_ids: ids seen in other places.
    """
    sets = Sets()
    ids: set[str] = set()
    facts: list[tuple[str, str | None, str | None, bool | None]] = []
    for agent_ids, email, name, available in groups.iter_rows():
        handles = [_id(each) for each in agent_ids or []] + ([_email(email)] if email else [])
        if not handles:
            continue
        sets.join(handles)
        ids.update(agent_ids or [])
        facts.append((handles[0], email, name, available))
    of_grades: list[tuple[str, str | None, str | None, bool | None]] = []
    for agent_id, email, name in in_grades.sort("agent_id").iter_rows():
        if agent_id not in ids and email:
            sets.join([_id(agent_id), _email(email)])
        of_grades.append((_id(agent_id), email, name, None))
    for agent_id in [*in_grades.get_column("agent_id").to_list(), *other_ids]:
        ids.add(agent_id)
        sets.find(_id(agent_id))
    person_ids: dict[str, str] = {}
    for agent_id in sorted(ids):
        person_ids.setdefault(sets.find(_id(agent_id)), agent_id)
    addresses: dict[str, Counter[str]] = {}
    for handle, email, _, _ in facts:
        addresses.setdefault(sets.find(handle), Counter()).update([email] if email else [])
    for root, seen in addresses.items():
        person_ids.setdefault(root, _most_used(seen) or "")
    in_groups = {sets.find(handle) for handle, *_ in facts}
    facts += [fact for fact in of_grades if sets.find(fact[0]) not in in_groups]
    return _agents(sets, person_ids, facts), pl.DataFrame(
        [(agent_id, person_ids[sets.find(_id(agent_id))]) for agent_id in sorted(ids)],
        AGENT_IDS.empty().schema,
        orient="row",
    )


def _agents(
    sets: Sets, person_ids: dict[str, str], facts: list[tuple[str, str | None, str | None, bool | None]]
) -> pl.DataFrame:
    emails: dict[str, Counter[str]] = {root: Counter() for root in person_ids}
    names: dict[str, Counter[str]] = {root: Counter() for root in person_ids}
    available: dict[str, bool] = {}
    for handle, email, name, is_available in facts:
        root = sets.find(handle)
        emails[root].update([email] if email else [])
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
    return _email(agent_id) if "@" in agent_id else f"id {agent_id}"


def _email(email: str) -> str:
    return f"e-mail {email.strip().lower()}"


def _most_used(counts: Counter[str]) -> str | None:
    """The text seen most often, the first in order of text where several are."""
    return min(counts, key=lambda text: (-counts[text], text)) if counts else None
