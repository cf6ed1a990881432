"""The batch forecast: score every account, simulate the portfolio, explain, and say what each figure means."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue import Retention, add_months, red_flag
from features.revenue.cut_labels import group_labels, labels_in_force, usable_cuts
from features.snapshots.dates import first_date
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.paths.rollup import TOTAL, RollUp, Trailing
from models.paths.simulate import AccountPaths
from models.reasons.background import background
from models.reasons.peers import Norms
from models.words import counted
from params import Params
from serving.forecast.declared.column import OutTable, names_of
from serving.forecast.declared.output_tables import (
    ACCOUNT_DRIVER,
    ACCOUNT_FORECAST,
    ACCOUNT_PEERS,
    INTERVAL,
    NRR_FORECAST,
    RENEWAL_FORECAST,
    RUN_COLUMNS,
    TABLES,
)
from serving.forecast.definitions import Rules
from serving.forecast.learned_features import require_same_features
from serving.forecast.realised import due_by_month, realised
from serving.forecast.refusals import BadRequest
from serving.forecast.spread.explaining import NO_REASONS, why
from serving.forecast.spread.scoring import Scoring, scoring_of
from serving.forecast.with_calls import blending_note, figures_with_calls
from training.tracking.champion import Champion

Array = NDArray[np.float64]
PAST_MONTHS = 3  # how far back lies the past that reasons are held against
_UNSEEN = 0.0005  # of a figure: so little does not show where it is printed


@dataclass(frozen=True)
class Forecast:
    """One forecast: its five tables, what it was made from, and what whoever reads it should know.

    `norms` is what is usual in each peer group, `with_calls` what the model with calls says of the accounts that have
    one; of a forecast read from files both are None.
    """

    run_id: str
    as_of: date
    model_version: str
    made_at: datetime
    currency: str
    definition: str
    red_flag: str
    notes: tuple[str, ...]
    account_forecast: pd.DataFrame = field(repr=False)
    account_driver: pd.DataFrame = field(repr=False)
    account_peers: pd.DataFrame = field(repr=False)
    nrr_forecast: pd.DataFrame = field(repr=False)
    renewal_forecast: pd.DataFrame = field(repr=False)
    norms: Norms | None = field(default=None, repr=False)
    with_calls: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The five tables by name."""
        return {name: getattr(self, name) for name in TABLES}

    def describe(self) -> dict[str, Any]:
        """Everything but the tables, as plain data."""
        return {
            "run_id": self.run_id,
            "as_of": self.as_of.isoformat(),
            "model_version": self.model_version,
            "made_at": self.made_at.isoformat(),
            "currency": self.currency,
            "definition": self.definition,
            "red_flag": self.red_flag,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _Stamp:
    """What every row of a forecast carries."""

    run_id: str
    as_of: date
    model_version: str
    made_at: datetime

    def fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names_of(RUN_COLUMNS)}

    def shape(self, table: OutTable, frame: pd.DataFrame) -> pd.DataFrame:
        return table.shape(frame.assign(**self.fields()))


def forecast(
    tables: Tables,
    champion: Champion,
    *,
    as_of: date,
    params: Params,
    made_at: datetime,
    challenger: Champion | None = None,
    with_reasons: bool = True,
    progress: Progress = silent,
) -> Forecast:
    """Forecast every account with ARR at a date, and the portfolio they make up.

    Parameters
    ----------
    tables
        The checked tables.
    champion
        The model in charge.
    as_of
        Nothing that became known on this day or later is used.
    params
        All settings.
    made_at
        The time to write into the tables; nothing else depends on the clock.
    challenger
        The model with calls, whose figures stand beside and change none.
    with_reasons
        Whether reasons are looked for; else their tables are empty. The record needs none.
    progress
        Told how far the work is.

    Raises
    ------
    BadRequest
        The data do not reach `as_of`, no account has ARR then, or the model was trained on other rules or features.
    """
    require_usable(tables, champion, as_of, params)
    rules = Rules(as_of, params.revenue.currency, params.revenue.grace_days, params.revenue.reactivation)
    customers = customers_of(tables, as_of, params, progress)
    with scoring_of(champion, customers, params) as scoring:
        progress("simulating the portfolio", 0, 1)
        (rolled, cross_sell), cut_notes = _roll_up(scoring, tables, champion, customers, as_of=as_of, params=params)
        reasons = NO_REASONS
        if with_reasons:
            progress("finding the reasons", 0, 1)
            compared = background(champion.model.all_inputs, customers, earlier_snapshot(tables, as_of, params))
            reasons = why(scoring, champion.model, customers, compared, rolled.accounts, rules=rules, params=params)
    stamp = _Stamp(run_id(tables, champion, as_of, params), as_of, champion.version, made_at)
    portfolio = rolled.table().dropna(subset="mean")
    return Forecast(
        **stamp.fields(),
        currency=rules.currency,
        definition=rules.portfolio(),
        red_flag=_red_flag(portfolio, rules),
        notes=(*_notes(tables, champion, as_of, params), *cut_notes, *_skewed(portfolio)),
        account_forecast=stamp.shape(ACCOUNT_FORECAST, _account_rows(customers, cross_sell, rolled.accounts, rules)),
        account_driver=stamp.shape(ACCOUNT_DRIVER, reasons.drivers),
        account_peers=stamp.shape(ACCOUNT_PEERS, reasons.peers),
        nrr_forecast=stamp.shape(NRR_FORECAST, _portfolio_rows(portfolio, rules)),
        renewal_forecast=stamp.shape(
            RENEWAL_FORECAST, _renewal_rows(rolled.renewals, rules, champion.model.horizon_months)
        ),
        norms=reasons.norms,
        with_calls=figures_with_calls(challenger, champion, customers, as_of=as_of, params=params),
    )


def run_id(tables: Tables, champion: Champion, as_of: date, params: Params) -> str:
    """Identifies a forecast by what decides it: model, data, date and settings, but not the machine or the clock."""
    content = {
        "model": champion.digest,
        "version": champion.version,
        "data": [tables.digest, tables.data_until.isoformat(), dict(tables.lag_days)],
        "as_of": as_of.isoformat(),
        "settings": params.model_dump(mode="json", include={"seed", "revenue", "snapshots", "forecast", "model"}),
        "elsewhere": _elsewhere(tables, champion, params),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def require_usable(tables: Tables, champion: Champion, as_of: date, params: Params) -> None:
    """Refuse a date that the data do not reach, and a model of other rules or of features declared otherwise.

    Raises
    ------
    BadRequest
        Which of them, and what to do.
    """
    if as_of > tables.data_until:
        raise BadRequest(
            f"The data end before {tables.data_until}, so nothing is known about the days up to {as_of}. "
            f"Forecast as of {tables.data_until} or earlier, or bring newer data."
        )
    require_same_rules(champion, params)
    require_same_features(champion, params)


def require_same_rules(champion: Champion, params: Params) -> None:
    """Refuse a champion that was trained under other rules of the revenue arithmetic.

    Raises
    ------
    BadRequest
        Which rules, what they were and are, and what to do.
    """
    bundled = champion.model.settings
    learned = {"revenue.grace_days": str(bundled.grace_days), "model.min_change": str(bundled.min_change)}
    learned |= {"revenue.account_level": "account", **champion.rules}  # older ones knew no other level
    other = [
        f"The champion was trained with {name} {learned[name]}, and now it is {now}: run `holdfast train`, "
        f"or set {name}={learned[name]}."
        for name, now in params.rules.items()
        if learned.get(name, now) != now
    ]
    if other:
        raise BadRequest("\n".join(other))


def customers_of(tables: Tables, as_of: date, params: Params, progress: Progress) -> pd.DataFrame:
    """The snapshot rows of the accounts with ARR.

    Raises
    ------
    BadRequest
        There is none.
    """
    frame = stored(tables, [as_of], params=params, progress=progress).frame
    customers = frame[frame["arr"] > 0].reset_index(drop=True)
    if customers.empty:
        raise BadRequest(f"No account has ARR on {as_of}, as known then: there is nothing to forecast.")
    return customers


def _roll_up(
    scoring: Scoring, tables: Tables, champion: Champion, customers: pd.DataFrame, *, as_of: date, params: Params
) -> tuple[tuple[RollUp, Array], tuple[str, ...]]:
    """The portfolio cut by the labels in force, the chances of cross-sells, and a note of cuts that are not there."""
    cuts, notes = usable_cuts(tables, params.forecast.cuts)
    months = champion.model.horizon_months
    labels = labels_in_force(tables, as_of, cuts, params.budget, params.forecast)
    past = realised(tables, customers, as_of=as_of, months=months, rules=params.revenue, budget=params.budget)
    due = due_by_month(tables, customers, as_of=as_of, months=months, rules=params.revenue, budget=params.budget)
    lost = past.lost.assign(**group_labels(labels, past.lost["account_id"]))
    cuts_here = group_labels(labels, customers["account_id"])
    rolled = scoring.roll_up(cuts=cuts_here, trailing=Trailing(past.cohort_arr, lost), due=due)
    return rolled, notes


def earlier_snapshot(tables: Tables, as_of: date, params: Params) -> pd.DataFrame | None:
    """The snapshot of the month start three to four months before a date, None where the data do not reach back."""
    day = add_months(as_of, -PAST_MONTHS).replace(day=1)
    return stored(tables, [day], params=params).frame if day >= first_date(tables, params.snapshots) else None


def account_facts(customers: pd.DataFrame) -> pd.DataFrame:
    """The account's id and each of `ACCOUNT_FACTS`, from its snapshot row."""
    return customers[["account_id", "arr", "term_ends_on"]].rename(columns={"term_ends_on": "renews_on"})


def account_figures(arr: Array, cross_sell: Array, paths: AccountPaths) -> dict[str, Array]:
    """Each of `ACCOUNT_FIGURES` by account and month ahead, shape (accounts, months).

    From ARR at the start, (accounts,), the chances of a cross-sell, (accounts, months), and what the paths say.
    """
    return {
        "churn_probability": paths.churn_probability,
        "contraction_probability": paths.contraction_probability,
        "expansion_probability": paths.expansion_probability,
        "cross_sell_probability": cross_sell[:, : paths.expected_arr.shape[1]],
        "expected_arr": paths.expected_arr,
        "arr_p10": paths.p10,
        "arr_p50": paths.p50,
        "arr_p90": paths.p90,
        "arr_at_risk": arr[:, None] * paths.churn_probability,
        "first_leaving_probability": paths.first_leaving_probability,
    }


def _account_rows(customers: pd.DataFrame, cross_sell: Array, paths: AccountPaths, rules: Rules) -> pd.DataFrame:
    """A row an account and horizon."""
    accounts, months = paths.expected_arr.shape
    figures = account_figures(customers["arr"].to_numpy(dtype=float), cross_sell, paths)
    facts = account_facts(customers)
    rows = facts.loc[facts.index.repeat(months)].reset_index(drop=True)
    horizon = np.tile(np.arange(1, months + 1), accounts)
    rows = rows.assign(horizon_months=horizon, **{name: values.ravel() for name, values in figures.items()})
    definitions = {month: rules.account(month) for month in range(1, months + 1)}
    return rows.assign(definition=rows["horizon_months"].map(definitions))


def _portfolio_rows(portfolio: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """The roll-up with each row's definition."""
    pairs = pd.MultiIndex.from_frame(portfolio[["metric", "horizon_months"]])
    definitions = {pair: rules.metric(*pair) for pair in pairs.unique()}
    return portfolio.assign(definition=[definitions[pair] for pair in pairs])


def _renewal_rows(renewals: pd.DataFrame, rules: Rules, months: int) -> pd.DataFrame:
    """Renewals by calendar month, the first and the last only as far as the window reaches."""
    first, end = rules.as_of.replace(day=1), add_months(rules.as_of, months)
    starts = [add_months(first, int(ahead) - 1) for ahead in renewals["month_ahead"]]
    days = {
        "month": starts,
        "from_day": [max(start, rules.as_of) for start in starts],
        "until_day": [min(add_months(start, 1), end) for start in starts],
    }
    texts = [rules.renewal(*window) for window in zip(days["from_day"], days["until_day"], strict=True)]
    dates = {name: pd.to_datetime(pd.Series(column, dtype="object")) for name, column in days.items()}
    return renewals.assign(**dates, definition=texts)


def _red_flag(portfolio: pd.DataFrame, rules: Rules) -> str:
    """A warning where the mean NRR of the whole horizon lies far above GRR; empty if not."""
    total = portfolio[(portfolio["cut"] == TOTAL) & (portfolio["horizon_months"] == portfolio["horizon_months"].max())]
    mean = total.set_index("metric")["mean"]
    figures = Retention(
        nrr=mean["nrr"],
        grr=mean["grr"],
        logo_retention=mean["logo_retention"],
        starting_arr=float(total["starting_arr"].iloc[0]),
        ending_arr=mean["ending_arr"],
        accounts=int(total["accounts"].iloc[0]),
        definition=rules.portfolio(),
    )
    return red_flag(figures) or ""


def _notes(tables: Tables, champion: Champion, as_of: date, params: Params) -> tuple[str, ...]:
    """What a reader would otherwise take wrongly."""
    notes = [note for note in (*champion.cautions, _elsewhere(tables, champion, params)) if note]
    if as_of < champion.trained_as_of:
        notes.append(
            f"The model learned from data up to {champion.trained_as_of}, after {as_of}: "
            "this shows how it fits the past, not how well it forecasts. Use `holdfast backtest` for that."
        )
    if champion.model.horizon_months != params.model.horizon_months:
        notes.append(
            f"The champion looks {counted(champion.model.horizon_months, 'month')} ahead, not the "
            f"{params.model.horizon_months} of model.horizon_months: train again to change it."
        )
    return (*notes, *blending_note(champion))


def _elsewhere(tables: Tables, champion: Champion, params: Params) -> str:
    """A note where the data are from another place than those the champion learned from; newer ones of one are not."""
    if champion.source in ("", params.source_name) or champion.data_digest == tables.digest:
        return ""
    return (
        f"The champion was trained on the data of {champion.source}, and this forecast is of those of "
        f"{params.source_name}: if that is another company, run `holdfast train`."
    )


def _skewed(portfolio: pd.DataFrame) -> tuple[str, ...]:
    """A note on the figures of the total whose mean lies outside their 80 % interval."""
    low, high = portfolio[INTERVAL.low], portfolio[INTERVAL.high]
    inside = portfolio["mean"].between(low * (1 - _UNSEEN), high * (1 + _UNSEEN))
    total = portfolio[(portfolio["cut"] == TOTAL) & ~inside]
    if total.empty:
        return ()
    figures = [
        f"{metric} ({', '.join(str(month) for month in sorted(rows['horizon_months']))})"
        for metric, rows in total.groupby("metric", sort=False)
    ]
    return (
        f"The mean lies outside the 80 % interval for {', '.join(figures)}, in brackets the months ahead: a few "
        "futures with large changes draw the mean away from where most futures lie.",
    )
