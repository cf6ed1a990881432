"""KPIs of the journey that the settings declare: phases left on time, accounts stalled in one, and by how long."""

import math
from collections.abc import Iterator

import pandas as pd

from features.families.declared.journey import phase_names, uses_of
from features.kpis.account_facts import Window
from features.kpis.declared_kpis import DAYS, MONEY, PHASE_ARR, PHASE_LATE, PHASE_RATES, SHARE
from features.kpis.figures import Kpi
from features.kpis.journey_states import STATE, phase_facts
from features.revenue.paths import add_months
from features.tables.checked import Tables
from features.tables.progress import Progress
from params import Params

PHASE = "phase"
TOTAL = "total"


def journey_kpis(tables: Tables, window: Window, params: Params, progress: Progress) -> list[Kpi]:
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
    return [kpi for cut, value, part in parts for kpi in _of_part(part, window, cut, value)]


def _on_file(states: pd.DataFrame, tables: Tables, params: Params) -> pd.DataFrame:
    """Where a condition counts use, those of accounts that began once use was on file: of older ones nobody knows."""
    if not any(uses_of(params.journey)) or not tables.has("usage"):
        return states
    with tables.connect(budget=params.budget) as connection:
        ((first,),) = connection.execute("SELECT MIN(used_on) FROM raw.usage").fetchall()
    began = pd.to_datetime(states["as_of"]) - pd.to_timedelta(states["tenure_days"].astype("float64"), unit="D")
    return states[began >= pd.Timestamp(first)] if first is not None else states


def _of_part(facts: pd.DataFrame, window: Window, cut: str, value: str) -> Iterator[Kpi]:
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
