"""The id under which metrics of a person are sent: one that the vendor knows, and always the same."""

from __future__ import annotations

import polars as pl

from maestro_analytics.warehouse import Store

GROUP_IDS = "select distinct unnest(agent_ids) as agent_id from agent_groups"


def known_agents(store: Store) -> set[str]:
    """Every id, and every e-mail address in lower case, of the account's agents."""
    ids = store.sql("select agent_id from agent_ids")["agent_id"]
    emails = store.sql("select lower(agent_email) as email from agents where agent_email is not null")["email"]
    return {*ids, *emails}


def ids_of_each_person(store: Store, ledger: pl.DataFrame) -> pl.DataFrame:
    """One row per id of a person, the one to send under first: `person_id`, `agent_id`.

    Of the person's ids, those of the groups export come first, since they are the ones that the vendor's own list of
    people has; among these the one under which the vendor acknowledged something last, so that a person who gets a
    new id does not appear twice; else the first in order of text. A person without any id goes under the e-mail
    address.

    Args:
        ledger: the ledger's rows of agent metrics.
    """
    used = (
        ledger.filter(pl.col("acknowledged_at").is_not_null())
        .group_by("agent_id")
        .agg(last_used=pl.col("acknowledged_at").max())
    )
    in_groups = store.sql(GROUP_IDS).with_columns(in_groups=True)
    ids = (
        store.sql("select person_id, agent_id from agent_ids")
        .join(in_groups, on="agent_id", how="left")
        .join(used, on="agent_id", how="left")
        .sort(
            pl.col("in_groups").fill_null(value=False),
            "last_used",
            pl.col("agent_id"),
            descending=[True, True, False],
            nulls_last=[True, True, True],
        )
        .select("person_id", "agent_id")
    )
    by_email = store.sql("select person_id, agent_email as agent_id from agents where agent_email is not null")
    return pl.concat([ids, by_email.join(ids, on="person_id", how="anti")])


def next_ids(ids: pl.DataFrame, ledger: pl.DataFrame) -> dict[str, str]:
    """Id -> the next id of the same person to try when the vendor refuses it.

    An id under which the vendor ever took something has none: under another one the person would be there twice.

    Args:
        ids: `ids_of_each_person`.
        ledger: the ledger's rows of agent metrics.
    """
    following = ids.with_columns(then=pl.col("agent_id").shift(-1).over("person_id")).drop_nulls("then")
    taken = ledger.filter(pl.col("acknowledged_at").is_not_null()).select("agent_id")
    return dict(following.join(taken, on="agent_id", how="anti").select("agent_id", "then").iter_rows())
