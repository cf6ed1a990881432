"""The first steps of a customer: the signature and the kickoff, as SELECTs of the day of each account."""

from features.asof.view import AsOf
from features.tables.checked import Tables
from features.tables.sql import code

KICKOFF = "kickoff"
_IS_KICKOFF = f"{{}} LIKE '%{KICKOFF}%'"
_DONE = f"{code('status')} = 'done'"


def onboarding_days(tables: Tables, asof: AsOf) -> dict[str, str]:
    """SELECTs of `account_id` and the day number `n`, by name; those of what the tables do not tell are absent.

    `signed_day` is the first signature, `kickoff_day` the first goal reached, action done or engagement whose name
    holds kickoff.
    """
    selects = {}
    if tables.has("contracts", "signed_on"):
        signed = asof.events("contracts", day="signed_on")
        selects["signed_day"] = f"SELECT account_id, MIN(day) AS n FROM ({signed}) e WHERE kv = 1 GROUP BY account_id"
    places = (
        ("goals", "goal", "achieved_on", _IS_KICKOFF.format(code("goal"))),
        ("csm_actions", "action", "acted_on", f"{_IS_KICKOFF.format(code('action'))} AND {_DONE}"),
        ("engagement", "kind", "happened_on", _IS_KICKOFF.format(code("kind"))),
    )
    steps = [
        f"SELECT account_id, day FROM ({asof.events(table, day=day, where=where)}) {table}_e WHERE kv = 1"
        for table, name, day, where in places
        if tables.has(table, name, day)
    ]
    if steps:
        union = " UNION ALL ".join(steps)
        selects["kickoff_day"] = f"SELECT account_id, MIN(day) AS n FROM ({union}) u GROUP BY account_id"
    return selects
