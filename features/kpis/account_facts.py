"""What each account did that a KPI counts, as known at a date: a row an account, a column a count or an amount."""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from features.asof.view import EPOCH, AsOf, day_number
from features.families.people import DECIDES, REDUNDANCY_DAYS, REDUNDANCY_MOST
from features.kpis.customers.onboarding import onboarding_days
from features.kpis.customers.services import service_facts
from features.kpis.window_facts import window_facts
from features.revenue.account_changes import account_changes
from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.known_lines import lines_known, load
from features.revenue.paths import add_months, arr_of_lines
from features.tables.checked import Tables
from features.tables.sql import code, one_of
from params import Budget, Revenue

ADVOCACY_DAYS = 365
REFERRAL = "referral"  # of accounts.source
GOALS = "milestone_of IS NULL AND horizon = '{}'"


@dataclass(frozen=True)
class Window:
    """The months before a date of which KPIs speak, and by when a touch counts as delivered."""

    as_of: date
    months: int
    tolerance_days: int

    @property
    def start(self) -> date:
        """Its first day: that of the cohort."""
        return add_months(self.as_of, -self.months)


@dataclass(frozen=True)
class Count:
    """Rows of an event table that are counted by account: those of `where`, of the last `days` or of the window.

    `day` is the column of the day on which a row happens, by default the table's own; `of` names the column whose
    different values are counted, if not the rows are.
    """

    name: str
    table: str
    needs: tuple[str, ...]
    where: str = "TRUE"
    day: str | None = None
    of: str = ""
    days: int | None = None

    def select(self, asof: AsOf, window: Window) -> str:
        """SELECT of `account_id` and the count."""
        since = window.as_of - timedelta(days=self.days) if self.days else window.start
        day = self.day or str(self.needs[0])
        named = {"start": f"DATE '{window.start}'", "end": f"DATE '{window.as_of}'", "late": window.tolerance_days}
        events = asof.events(self.table, (self.of,) if self.of else (), day=self.day, where=self.where.format(**named))
        counted = f"COUNT(DISTINCT {self.of})" if self.of else "COUNT(*)"
        within = f" AND day >= {day_number(since)}" if day == self.needs[0] else ""
        return f"SELECT account_id, {counted} AS n FROM ({events}) e WHERE kv = 1{within} GROUP BY account_id"


_PLANNED = "planned_on >= {start} AND CAST(planned_on AS DATE) + {late} < {end}"
_SENT = "sent_on >= {start} AND sent_on < {end}"
_DONE = f"{code('status')} = 'done'"
_TWELVE = GOALS.format("twelve_month")
_ADVOCATES = one_of("kind", "referral", "reference")
COUNTS = (
    Count("goals_due", "goals", ("due_on", "horizon"), _TWELVE, day="due_on"),
    Count(
        "goals_reached",
        "goals",
        ("achieved_on", "due_on", "horizon"),
        f"{_TWELVE} AND due_on >= {{start}} AND due_on < {{end}} AND achieved_on <= due_on",
        day="achieved_on",
        days=3650,
    ),
    Count("touches_due", "csm_actions", ("acted_on", "planned_on"), _PLANNED, days=3650),
    Count(
        "touches_kept",
        "csm_actions",
        ("acted_on", "planned_on"),
        f"{_DONE} AND {_PLANNED} AND acted_on <= CAST(planned_on AS DATE) + {{late}}",
        days=3650,
    ),
    Count("customer_people", "engagement", ("happened_on", "contact_id"), of="contact_id", days=REDUNDANCY_DAYS),
    Count("vendor_people", "csm_actions", ("acted_on", "csm"), _DONE, of="csm", days=REDUNDANCY_DAYS),
    Count("recommendations", "engagement", ("happened_on", "kind"), _ADVOCATES, days=ADVOCACY_DAYS),
    Count("referrals", "engagement", ("happened_on", "kind"), one_of("kind", "referral"), days=ADVOCACY_DAYS),
    Count("references", "engagement", ("happened_on", "kind"), one_of("kind", "reference"), days=ADVOCACY_DAYS),
    Count("leads_won", "leads", ("won_on",), day="won_on"),
    Count("leads_lost", "leads", ("lost_on",), day="lost_on"),
    Count("surveys_sent", "surveys", ("sent_on",), day="sent_on"),
    Count("surveys_answered", "surveys", ("responded_on", "sent_on"), _SENT),
    Count("deciders_asked", "surveys", ("sent_on", "respondent_role"), DECIDES, day="sent_on"),
    Count("deciders_answered", "surveys", ("responded_on", "sent_on", "respondent_role"), f"{_SENT} AND {DECIDES}"),
)


def account_facts(tables: Tables, window: Window, *, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """The facts of all accounts, index `account_id`; the columns that the tables cannot give are absent.

    `arr` is ARR at the window's end, `customers` whether there is any. The others are those of `window_facts`, the
    `COUNTS`, and `began`, `first_value` and `left` of `lifelines`.
    """
    changes = account_changes(
        tables, start=window.start, end=window.as_of, known_by=window.as_of, rules=rules, budget=budget
    ).accounts.set_index("account_id")
    with lines_known(tables, known_by=window.as_of, rules=rules, budget=budget) as connection:
        arr = arr_of_lines(connection, tables, [window.as_of], rules=rules).set_index("account_id")["arr"]
        began = connection.execute(_SPELLS).df().set_index("account_id")
    paid = service_facts(tables, since=window.start, as_of=window.as_of, rules=rules, budget=budget)
    facts = pd.concat(
        [window_facts(changes, _fits(tables, window, budget)), began, arr, _counts(tables, window, budget), paid],
        axis=1,
    )
    facts["customers"] = facts["arr"].gt(0).astype("int64")
    lived = [*began.columns, "first_value", "customer_since", "signed_day", "kickoff_day"]
    others = [name for name in facts.columns if name not in lived]
    facts[others] = facts[others].fillna(0)
    facts = _with_sources(_with_people(_with_life(facts, window)), tables, window, budget)
    return facts.rename_axis("account_id").sort_index()


_SPELLS = """
    SELECT account_id, MIN(covered_from) AS began, MIN_BY(covered_until, covered_from) AS covered_until
    FROM coverage GROUP BY account_id"""


def _fits(tables: Tables, window: Window, budget: Budget) -> "pd.Series[str] | None":
    """The fit of each account as known at the start, of those that came later at the end."""
    if not tables.has("accounts", "fit"):
        return None
    then, later = (labels_in_force(tables, day, ("fit",), budget)["fit"] for day in (window.start, window.as_of))
    return then.combine_first(later)


def _counts(tables: Tables, window: Window, budget: Budget) -> pd.DataFrame:
    asof = AsOf(tables, (window.as_of,))
    selects = {count.name: count.select(asof, window) for count in COUNTS if tables.has(count.table, *count.needs)}
    if tables.has("goals", "achieved_on", "horizon"):
        events = asof.events("goals", day="achieved_on", where=GOALS.format("first_value"))
        selects["first_value"] = f"SELECT account_id, MIN(day) AS n FROM ({events}) e WHERE kv = 1 GROUP BY account_id"
    selects |= onboarding_days(tables, asof)
    if tables.has("accounts", "customer_since"):
        since = "CAST(customer_since AS DATE) - DATE '1970-01-01'"
        selects["customer_since"] = f"SELECT account_id, {since} AS n FROM ({asof.attributes()}) a"
    with tables.at(window.as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        columns = {name: connection.execute(sql).df().set_index("account_id")["n"] for name, sql in selects.items()}
    return pd.DataFrame(columns)


def _with_life(facts: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Days of life instead of day numbers: when it began (a date), the day of first value, and the day it left."""
    end = day_number(window.as_of)
    began = facts.pop("began")
    if "customer_since" in facts:
        began = pd.concat([began, facts.pop("customer_since")], axis=1).min(axis=1).where(began.notna())
    covered = facts.pop("covered_until")
    facts["began"] = pd.to_datetime(began, unit="D", origin=pd.Timestamp(EPOCH)).where(began < end)
    facts["lived_days"] = (covered.clip(upper=end) - began).where(began < end)
    facts["left_by_now"] = (covered <= end).astype("int64")
    if "first_value" in facts:
        facts["first_value"] = (facts["first_value"] - began).clip(lower=0)
    for name in ("signed_day", "kickoff_day"):
        if name in facts:
            facts[name] = facts[name] - began
    return facts


def _with_sources(facts: pd.DataFrame, tables: Tables, window: Window, budget: Budget) -> pd.DataFrame:
    """The ARR of the accounts that began in the window and whose source is known, and that of those referred."""
    if not tables.has("accounts", "source"):
        return facts
    source = labels_in_force(tables, window.as_of, ("source",), budget)["source"].reindex(facts.index)
    began = (facts["began"] >= pd.Timestamp(window.start)) & source.notna() & source.ne(NO_LABEL)
    is_referred = began & source.str.strip().str.lower().eq(REFERRAL)
    facts["won_arr"] = facts["arr"].where(began, 0)
    facts["referred_arr"] = facts["arr"].where(is_referred, 0)
    facts["referred"] = is_referred.astype("int64")
    return facts


def _with_people(facts: pd.DataFrame) -> pd.DataFrame:
    """Of today's customers: people active on either side, three of each at most, and whether the customer has one."""
    here = facts["customers"]
    for name in ("customer_people", "vendor_people"):
        if name in facts:
            facts[name] = facts[name].clip(upper=REDUNDANCY_MOST).astype("int64") * here
    if {"customer_people", "vendor_people"} <= set(facts):
        facts["redundancy"] = facts["customer_people"] + facts["vendor_people"]
    if "customer_people" in facts:
        facts["single_threaded"] = (facts["customer_people"] <= 1).astype("int64") * here
    if "recommendations" in facts:
        facts["advocates"] = facts["recommendations"].gt(0).astype("int64") * here
        for name in ("referrals", "references"):
            facts[name] = facts[name] * here
    if {"leads_won", "leads_lost"} <= set(facts):
        facts["leads_closed"] = facts["leads_won"] + facts["leads_lost"]
    return facts
