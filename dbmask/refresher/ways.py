"""How each table is brought up to date: as the job says, or chosen, always with a reason."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dbmask.cloner.copying import TableJob
from dbmask.cloner.sums import is_own, keeps
from dbmask.policy.jobs import Job
from dbmask.refresher.baseline import Facts, key_of, table_digest

__all__ = ["Way", "leaves_gone", "swap_way", "usual_way", "way_of"]


@dataclass(frozen=True)
class Way:
    """One table's way. ``key`` is empty where rows cannot be told apart; ``forced`` that unchanged rows are no reason to stop."""

    mode: str
    why: str
    key: tuple[str, ...] = ()
    column: str = ""
    deletes: bool = True
    forced: bool = False


def way_of(
    job: Job, table: TableJob, default_schema: str, known: Facts | None, special: str, secretly: bool = True
) -> Way:
    """The way of a table; ``special`` says why all of its rows are to be written anew, whatever the job says.

    ``secretly``: values can reach the source's session without a trace in its logs.
    """
    key = key_of(table)
    rule = job.rule(table.plan.name, default_schema)
    column = (rule.column or "") if rule else ""

    def full(why: str, forced: bool = True) -> Way:
        return Way("full", why, key, column, forced=forced)

    if special:
        return full(special)
    if known is None:
        return full("nothing is known of its last run")
    if known.digest != table_digest(table):
        return full("its masks have changed")
    if not is_own(table):
        return full("its masked rows follow from more than their own row")
    if rule is None:
        if key:
            return Way("diff", "chosen: it has a primary key", key)
        return full("chosen: it has no primary key in the replica, so changed rows cannot be replaced", False)
    if rule.mode == "full":
        return full("the job says so")
    if rule.mode != "append" and not key:
        return full(f"`{rule.mode}` needs a primary key in the replica, and there is none", False)
    if column and (table.plan.table.column(column) is None):
        return full(f"the source has no column {column}")
    if rule.mode in ("append", "watermark") and known.column != column:
        return full(f"the highest {column} of the last run is not known")
    if rule.mode in ("append", "watermark") and not secretly:
        return full(f"the last run's highest {column} cannot reach this source without a trace in its logs")
    return Way(rule.mode, "the job says so", key, column, rule.deletes != "none")


def leaves_gone(way: Way) -> bool:
    """Whether rows that the source does not have any more stay in the replica."""
    return way.mode == "watermark" and not way.deletes


def swap_way(
    job: Job, table: TableJob, default_schema: str, known: Facts | None, special: str, secretly: bool = True
) -> Way:
    """As :func:`way_of`, where changed tables are built anew: their other rows go on by keys that source and replica share."""
    way = way_of(job, table, default_schema, known, special, secretly)
    if way.mode == "diff" and not secretly:
        why = "keys of the last run cannot reach this source without a trace in its logs"
        return replace(way, mode="full", why=why, forced=False)
    needed = {"diff": way.key[:1], "watermark": way.key}.get(way.mode, ())
    if not keeps(table, needed):
        why = "its key is masked, so rows of the last run cannot be told from those that changed"
        return replace(way, mode="full", why=why)
    return way


def usual_way(job: Job, table: TableJob, default_schema: str, secretly: bool = True) -> Way:
    """The way of a table of which all is known."""
    rule = job.rule(table.plan.name, default_schema)
    column = (rule.column or "") if rule else ""
    known = Facts(table_digest(table), 0, highest="", column=column)
    return swap_way(job, table, default_schema, known, "", secretly)
