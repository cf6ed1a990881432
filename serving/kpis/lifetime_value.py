"""What customers are worth: gross profit over their expected life, against what it cost to win them."""

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.asof.view import day_number
from features.kpis.account_facts import Window
from features.kpis.declared_kpis import CLTV_MONTHS
from features.kpis.lifetimes import YEAR_DAYS, Leaving, customer_spells, leaving_rates
from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.paths import add_months
from features.tables.checked import Tables
from params import Params
from serving.forecast.export import read_published

YEAR = 12
Floats = npt.NDArray[np.float64]


def with_lifetime_value(facts: pd.DataFrame, tables: Tables, window: Window, params: Params) -> pd.DataFrame:
    """The facts with the columns of the KPIs of lifetime value; those of costs only where accounts have them."""
    spells = _spells(facts, tables, window, params)
    first = add_months(window.as_of, -params.lifetime.history_months)
    leaving = leaving_rates(spells, first=first, as_of=window.as_of)
    facts = facts.join(_values(facts, spells, leaving, _forecast(window.as_of, params), params))
    return _with_costs(facts, spells, tables, window, params)


def months_worth(alive: Floats, arr: Floats, margin: float, discount_rate: float) -> Floats:
    """(n, months) what each month ahead is worth today: alive x ARR / 12 x margin / (1 + rate) ^ (months / 12)."""
    months = np.arange(1, alive.shape[1] + 1)
    worth: Floats = alive * arr / YEAR * margin / (1 + discount_rate) ** (months / YEAR)
    return worth


def _spells(facts: pd.DataFrame, tables: Tables, window: Window, params: Params) -> pd.DataFrame:
    """The customers' times by account, with their segment and the day on which they became customers."""
    spells = customer_spells(tables, as_of=window.as_of, rules=params.revenue, budget=params.budget)
    began = facts["began"].reindex(spells.index)
    spells["began"] = spells["entered"].where(began.isna(), (began - pd.Timestamp("1970-01-01")).dt.days)
    spells["segment"] = NO_LABEL
    if tables.has("accounts", "segment"):
        segments = labels_in_force(tables, window.as_of, ("segment",), params.budget)["segment"]
        spells["segment"] = segments.reindex(spells.index).fillna(NO_LABEL)
    return spells


def _forecast(as_of: date, params: Params) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The published forecast of a date, expected ARR and the chance to have some: by account and month (columns)."""
    published = read_published(params.data_dir / "forecasts", as_of)
    if published is None or params.model.horizon_months < YEAR:
        return None
    rows = published.tables["account_forecast"]
    rows = rows[rows["horizon_months"] <= YEAR]
    expected, churn = (
        rows.pivot_table(index="account_id", columns="horizon_months", values=name)
        for name in ("expected_arr", "churn_probability")
    )
    return expected, 1 - churn


def _values(
    facts: pd.DataFrame,
    spells: pd.DataFrame,
    leaving: Leaving,
    forecast: tuple[pd.DataFrame, pd.DataFrame] | None,
    params: Params,
) -> pd.DataFrame:
    """`cltv_*` and `cltv_beyond` of today's customers."""
    here = facts.index[facts["customers"] == 1]
    tenures = (facts.loc[here, "lived_days"]).to_numpy(dtype=np.float64)
    segments = spells["segment"].reindex(here).fillna(NO_LABEL)
    longest = CLTV_MONTHS[-1]
    alive = np.array([leaving.survival(str(s), t, longest) for s, t in zip(segments, tenures, strict=True)])
    alive = alive.reshape(len(here), longest)
    arr = np.repeat(facts.loc[here, "arr"].to_numpy()[:, None], longest, axis=1)
    grown = (1 + params.lifetime.growth) ** (np.maximum(np.arange(1, longest + 1) - YEAR, 0) / YEAR)
    if forecast is not None:
        alive, arr = _forecast_first(here, alive, arr, forecast)
    worth = months_worth(alive, arr * grown, params.lifetime.gross_margin, params.lifetime.discount_rate)
    columns = {f"cltv_{months}": worth[:, :months].sum(axis=1) for months in CLTV_MONTHS}
    columns["cltv_beyond"] = worth[:, YEAR:].sum(axis=1)
    return pd.DataFrame(columns, index=here).reindex(facts.index).fillna(0.0).round(2)


def _forecast_first(
    here: pd.Index, alive: Floats, arr: Floats, forecast: tuple[pd.DataFrame, pd.DataFrame]
) -> tuple[Floats, Floats]:
    """The first twelve months by the forecast, of the accounts that it holds; later ones go on from its end."""
    expected, chance = (frame.reindex(here).to_numpy(dtype=np.float64) for frame in forecast)
    held = ~np.isnan(expected).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        staying = np.where(chance > 0, expected / chance, 0.0)
    beyond = alive[held, YEAR:] / alive[held, YEAR - 1 : YEAR] * chance[held, -1:]
    alive, arr = alive.copy(), arr.copy()
    alive[held, :YEAR], alive[held, YEAR:] = chance[held], beyond
    arr[held, :YEAR], arr[held, YEAR:] = staying[held], staying[held, -1:]
    return alive, arr


def _with_costs(
    facts: pd.DataFrame, spells: pd.DataFrame, tables: Tables, window: Window, params: Params
) -> pd.DataFrame:
    """`new_*` of the accounts won in the window and `lost_*` of those that left in it, of those with a cost."""
    if not tables.has("accounts", "acquisition_cost"):
        return facts
    text = labels_in_force(tables, window.as_of, ("acquisition_cost",), params.budget)["acquisition_cost"]
    cost = pd.to_numeric(text, errors="coerce").reindex(facts.index)
    margin = params.lifetime.gross_margin
    fresh = (cost > 0) & (facts["began"] >= pd.Timestamp(window.start))
    spells = spells.reindex(facts.index)
    start, end = day_number(window.start), day_number(window.as_of)
    lost = (cost > 0) & (spells["until"] > start) & (spells["until"] <= end) & (spells["began"] == spells["entered"])
    monthly = spells["paid"] / (spells[["until"]].clip(upper=end)["until"] - spells["entered"]) * YEAR_DAYS / YEAR
    columns = {
        "new_with_cost": fresh,
        "new_cost": cost.where(fresh),
        "new_cltv": facts[f"cltv_{CLTV_MONTHS[-1]}"].where(fresh),
        "new_margin": (monthly * margin).where(fresh),
        "lost_with_cost": lost,
        "lost_unpaid": lost & (spells["paid"] * margin < cost),
    }
    return facts.assign(**{name: column.astype("float64").fillna(0.0).round(2) for name, column in columns.items()})
