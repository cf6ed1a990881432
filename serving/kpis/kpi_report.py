"""The KPIs as of a date, of the whole company and by any column, over past quarters, and against the targets set."""

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.families.declared.journey import phase_names, uses_of
from features.kpis.account_facts import Window, account_facts
from features.kpis.customers.journey_states import STATE, phase_facts
from features.kpis.declared_kpis import (
    DAYS,
    MONEY,
    PHASE_ARR,
    PHASE_LATE,
    PHASE_RATES,
    SHARE,
    direction,
    kpi_names,
)
from features.kpis.figures import Kpi, added, kpis_of
from features.kpis.parts_in_use import first_use
from features.kpis.targets import quarter_before, targets_known
from features.revenue.cut_labels import NO_LABEL, in_order
from features.revenue.paths import add_months
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.words import counted
from params import Params
from serving.forecast.refusals import BadRequest
from serving.kpis.lifetime_value import with_lifetime_value
from serving.retention.cohort_labels import given_names, labels_between

TOTAL = "total"
PHASE = "phase"
TIER = "touch_model"
BY_TIER = "cadence_kept"  # told by touch tier always: what is promised differs
Row = dict[str, Any]
Targets = Mapping[tuple[str, str, str, str], tuple[float, float]]  # by kpi, cut, value and quarter: newest and first


@dataclass(frozen=True)
class KpiReport:
    """KPIs as of a date: `rows` as plain data, newest date first; `accounts` the facts behind those of `as_of`.

    `accounts` is what `account_facts` gives, with `name` and `value` (the label). `grid` counts today's customers by
    how many people are active on either side. `warnings` says which targets are compared with nothing.
    """

    window: Window
    cut: str
    currency: str
    rows: tuple[Row, ...]
    accounts: pd.DataFrame
    grid: tuple[Row, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> Row:
        """The same as plain data."""
        return {
            "as_of": self.window.as_of.isoformat(),
            "from": self.window.start.isoformat(),
            "months": self.window.months,
            "by": None if self.cut == TOTAL else self.cut,
            "currency": self.currency,
            "rows": [row | {"as_of": row["as_of"].isoformat()} for row in self.rows],
            "grid": list(self.grid),
            "warnings": list(self.warnings),
        }


def kpi_report(
    tables: Tables,
    *,
    as_of: date,
    params: Params,
    by: str | None = None,
    months: int = 12,
    quarters: int = 0,
    progress: Progress = silent,
) -> KpiReport:
    """Work out the KPIs from what was known before `as_of`.

    Parameters
    ----------
    by
        A column of `accounts`, or a snapshot feature, as known when the window began; of accounts that came later as
        known at its end.
    months
        How long the window is that ends at `as_of`.
    quarters
        At how many starts of quarters before `as_of` they are told too, each from what was known then.

    Raises
    ------
    BadRequest
        The date lies outside the data, or there is no such column.
    """
    tolerance = params.cadence.tolerance_days
    windows = [Window(day, months, tolerance) for day in (as_of, *quarter_starts(as_of, quarters))]
    _require_known(tables, as_of)
    facts, kpis, cut = pd.DataFrame(), [], by or TOTAL
    for place, window in enumerate(windows):
        progress("figures", place, len(windows))
        labels = _labels(tables, by, window, params, progress)
        of_window = account_facts(tables, window, rules=params.revenue, budget=params.budget)
        if not place:
            _require_accounts(of_window, window, tables)
        of_window = with_lifetime_value(of_window, tables, window, params)
        cut = str(labels.name) if labels is not None else TOTAL
        tiers = _labels(tables, _tier(tables, cut), window, params, progress)
        kpis += [*_of_parts(of_window, window, labels, tiers), *_journey_kpis(tables, window, params, progress)]
        facts = facts if place else of_window.assign(value=_values(of_window, labels))
    progress("figures", len(windows), len(windows))
    rows, warnings = with_targets(tables, kpis, params)
    names = given_names(tables, as_of, params)
    facts.insert(0, "name", [names.get(account, account) for account in facts.index])
    return KpiReport(windows[0], cut, params.revenue.currency, tuple(rows), facts, tuple(_grid(facts)), tuple(warnings))


def quarter_starts(before: date, count: int) -> list[date]:
    """The last so many first days of calendar quarters before a day, newest first."""
    start = date(before.year, before.month - (before.month - 1) % 3, 1)
    first = 0 if start < before else 1
    return [add_months(start, -3 * place) for place in range(first, first + count)]


def with_targets(tables: Tables, kpis: Iterable[Kpi], params: Params) -> tuple[list[Row], list[str]]:
    """The KPIs as rows with the target of the quarter that had ended, and what is said of targets that fit none."""
    targets: dict[date, Targets] = {}
    rows = []
    for kpi in kpis:
        if kpi.as_of not in targets:
            targets[kpi.as_of] = _targets(tables, kpi.as_of, params)
        key = (kpi.kpi, kpi.cut, kpi.value, quarter_before(kpi.as_of))
        rows.append(_row(kpi, *targets[kpi.as_of].get(key, (None, None))))
    newest = max(targets, default=None)
    return rows, [] if newest is None else list(_unknown(targets[newest]))


def _targets(tables: Tables, as_of: date, params: Params) -> Targets:
    rows = targets_known(tables, as_of, params.budget).itertuples(index=False, name=None)
    return {(kpi, cut, value, quarter): (target, first) for kpi, cut, value, quarter, target, first in rows}


def _row(kpi: Kpi, target: float | None, first: float | None) -> Row:
    figure = None if math.isnan(kpi.figure) else kpi.figure
    reached = None
    if figure is not None and target is not None:
        reached = bool(figure >= target if direction(kpi.kpi) >= 0 else figure <= target)
    more = {"quarter": quarter_before(kpi.as_of), "target": target, "first_target": first}
    return vars(kpi) | more | {"figure": figure, "reached": reached}


def _unknown(targets: Targets) -> Iterator[str]:
    """A line for each KPI that targets name and that there is not."""
    names = list(kpi_names())
    for name, quarters in Counter(kpi for kpi, *_ in targets).items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
            yield (
                f"targets.kpi: {name}, of {counted(quarters, 'target')}, is no KPI, so nothing is compared with it: "
                f"{hint}"
            )


def _of_parts(
    facts: pd.DataFrame, window: Window, labels: "pd.Series[str] | None", tiers: "pd.Series[str] | None"
) -> Iterator[Kpi]:
    yield from kpis_of(facts, window, TOTAL, TOTAL)
    if labels is not None:
        for value, part in _parts(facts, labels):
            yield from kpis_of(part, window, str(labels.name), value)
    if tiers is not None:
        for value, part in _parts(facts, tiers):
            yield from (kpi for kpi in kpis_of(part, window, TIER, value) if kpi.kpi == BY_TIER)


def _parts(facts: pd.DataFrame, labels: "pd.Series[str]") -> Iterator[tuple[str, pd.DataFrame]]:
    groups = {str(value): part for value, part in facts.groupby(_values(facts, labels))}
    yield from ((value, groups[value]) for value in in_order(groups))


def _values(facts: pd.DataFrame, labels: "pd.Series[str] | None") -> "pd.Series[str]":
    if labels is None:
        return pd.Series(TOTAL, index=facts.index, dtype="str")
    return labels.reindex(facts.index).fillna(NO_LABEL).astype("str")


def _labels(
    tables: Tables, by: str | None, window: Window, params: Params, progress: Progress
) -> "pd.Series[str] | None":
    return labels_between(tables, by, window.start, window.as_of, params, progress) if by else None


def _tier(tables: Tables, cut: str) -> str | None:
    return TIER if tables.has("accounts", TIER) and cut != TIER else None


def _grid(facts: pd.DataFrame) -> Iterator[Row]:
    """Customers by how many people are active on either side, three of each at most."""
    names = ["customer_people", "vendor_people"]
    if not {*names} <= set(facts):
        return
    here = facts[facts["customers"] == 1]
    for pair, part in here.groupby(names):
        customer, vendor = np.asarray(pair, dtype="int64").tolist()
        people = {"customer_people": customer, "vendor_people": vendor}
        yield people | {"accounts": len(part), "arr": added(part, "arr")}


def _require_known(tables: Tables, as_of: date) -> None:
    if as_of > tables.data_until:
        raise BadRequest(
            f"--as-of {as_of} lies after {tables.data_until}, where the data end. Ask for a day up to "
            f"{tables.data_until}, or, if the source is complete further on, set source.data_until."
        )


def _require_accounts(facts: pd.DataFrame, window: Window, tables: Tables) -> None:
    if not (facts["cohort"].any() or facts["customers"].any()):
        raise BadRequest(
            f"--as-of {window.as_of}: no account had ARR then, nor on {window.start}, {window.months} months before. "
            f"Ask for a later day, up to {tables.data_until}, where the data end."
        )


def _journey_kpis(tables: Tables, window: Window, params: Params, progress: Progress) -> list[Kpi]:
    """The KPIs by phase and of all phases; none where the settings declare no journey or no expected day."""
    expected = {
        segment: {name: phase.expected_day for name, phase in journey.phases.items() if phase.expected_day}
        for segment, journey in params.journey.items()
    }
    if not any(expected.values()):
        return []
    from features.snapshots.snapshot_files import stored_columns  # and what compiles SQL, which other KPIs need not

    days = [day for months in range(window.months + 1) if (day := add_months(window.as_of, -months)) < tables.data_until
            or day == window.as_of]  # fmt: skip
    states = stored_columns(tables, days, STATE, params=params, progress=progress)
    for name in STATE:
        states[name] = states.get(name)
    states = _on_file(states, tables, params)
    facts = phase_facts(states, window.as_of, expected, phase_names(params.journey))
    parts = [(TOTAL, TOTAL, facts)]
    parts += [(PHASE, name, facts[facts["phase"] == name]) for name in phase_names(params.journey)]
    return [kpi for cut, value, part in parts for kpi in _phase_kpis(part, window, cut, value)]


def _on_file(states: pd.DataFrame, tables: Tables, params: Params) -> pd.DataFrame:
    """Where a condition counts use, those of accounts that began once use was on file: of older ones nobody knows."""
    first = first_use(tables, params.budget) if any(uses_of(params.journey)) else None
    if first is None:
        return states
    began = pd.to_datetime(states["as_of"]) - pd.to_timedelta(states["tenure_days"].astype("float64"), unit="D")
    return states[began >= pd.Timestamp(first)]


def _phase_kpis(facts: pd.DataFrame, window: Window, cut: str, value: str) -> Iterator[Kpi]:
    sums = {name: float(facts[name].sum()) for name in ("due", "in_time", "here", "late", "days_late", "late_arr")}
    whom = "phases with an expected day" if cut == TOTAL else f"the phase {value}"
    figures = (
        (PHASE_RATES[0], sums["in_time"], sums["due"], sums["due"], SHARE,
         f"accounts whose expected day of leaving {whom} came from {window.start} to {window.as_of} and that had left "
         "it by the first month start on or after that day, over all; who left first had not", "no such day came"),
        (PHASE_RATES[1], sums["late"], sums["here"], sums["here"], SHARE,
         f"customers that are in {whom} on {window.as_of} after their expected day, over all that are in it; where a "
         "condition counts use, of those that began once use was on file",
         "nobody is in it"),
        (PHASE_LATE, sums["days_late"], sums["late"], sums["late"], DAYS,
         f"mean days after the expected day of the customers that are late in {whom} on {window.as_of}",
         "nobody is late"),
    )  # fmt: skip
    for name, over, under, n, unit, words, empty in figures:
        if cut != TOTAL and not sums["due"] and not sums["here"]:
            continue
        figure = over / under if under else math.nan
        yield Kpi(name, cut, value, figure, int(n), unit, words, window.as_of, "" if under else empty)
    if cut == TOTAL or sums["here"]:
        words = f"ARR of the customers that are late in {whom} on {window.as_of}"
        yield Kpi(PHASE_ARR, cut, value, round(sums["late_arr"], 2), int(sums["late"]), MONEY, words, window.as_of)
