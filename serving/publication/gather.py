"""What is published: everything the service answers from, gathered from one forecast and the tables behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue import add_months
from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.goal_values import COLUMNS as PLAN_COLUMNS
from features.revenue.goal_values import goal_values
from features.revenue.timelines import contract_events, life_events, monthly_activity
from features.snapshots.building import Snapshots
from features.snapshots.snapshot_files import each_stored, stored
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.outcomes.prediction import Outcome
from models.reasons.background import background
from models.reasons.peers import Norms
from models.words import nothing_unusual
from params import Budget, Params
from serving.forecast.account_reasons import expected_ways, explain, norms_of
from serving.forecast.batch import Forecast, earlier_snapshot
from serving.forecast.declared.column import Place, names_of
from serving.forecast.declared.output_tables import ACCOUNT_FACTS
from serving.forecast.declared.published_lists import BRIDGE, CSM, HISTORY_KINDS, LABELS
from serving.forecast.live import Score
from serving.health.account_health import AccountHealth, account_health
from serving.health.listed import PublishedHealth, published
from serving.ledger.past import Past
from serving.publication.account_texts import Scores, ToldOf
from serving.publication.moves import movement_definition, moves_until
from serving.publication.published_customers import CustomerFacts
from serving.publication.published_plays import Acting, about_plays, named_plays
from serving.publication.trailing import realised_trailing
from training.tracking.champion import Champion

Array = NDArray[np.float64]
PUBLISHED, RESCORED = HISTORY_KINDS


@dataclass(frozen=True)
class Publication:
    """One publication before it is written.

    Attributes
    ----------
    about
        What it is, as plain data: the forecast's description, horizons, cuts, when the data end, the model card.
    accounts
        A row a customer: all `labels`, and the columns of the list of accounts that do not vary with the horizon.
    scores
        Of each account: probabilities by horizon and reasons, as `serving.forecast.live` gives them.
    activity
        Months, and of each account the amounts of each signal in them.
    events
        Of each account: the events of its contracts.
    life
        Of each account: its people, goals, survey answers and severe tickets.
    plan
        Of each account: its goals and tasks, and how far each has come.
    history
        `account_id`, `as_of`, `kind`, `model_version`, `churn_probability` over the longest horizon, `arr`; of rows
        with the same first four the last one counts.
    past_figures
        What earlier runs said of the portfolio, see `serving.ledger.past`.
    moves
        `account_id`, labels, `movement` (or starting_arr, ending_arr), `product`, `amount`.
    bridge
        From the last official forecast to this one: the columns of the list `BRIDGE`, no rows where there is none.
    actions
        What to do next: the columns of the list `ACTIONS`.
    health
        The health of accounts by rule.
    customers
        Who was lost and why, and other facts about customers.
    nrr, renewals
        The tables of the forecast.
    snapshot
        The snapshot rows of the customers, for live scores.
    earlier
        Those of some months before, for what reasons say of the past; None if nothing is known of it.
    norms
        What is usual in each peer group, for the reasons of live scores.
    insights
        Facts about the business.
    """

    about: dict[str, Any]
    accounts: pd.DataFrame
    scores: Scores
    activity: tuple[list[str], Mapping[str, dict[str, list[float]]]]
    events: Mapping[str, list[dict[str, Any]]]
    life: Mapping[str, list[dict[str, Any]]]
    plan: Mapping[str, list[dict[str, Any]]]
    history: pd.DataFrame
    past_figures: pd.DataFrame
    moves: pd.DataFrame
    bridge: pd.DataFrame
    actions: pd.DataFrame
    health: PublishedHealth
    customers: CustomerFacts
    nrr: pd.DataFrame
    renewals: pd.DataFrame
    snapshot: pd.DataFrame
    earlier: pd.DataFrame | None
    norms: Norms
    insights: Mapping[str, Mapping[str, Any]]


def gather(
    tables: Tables,
    champion: Champion,
    forecast: Forecast,
    *,
    params: Params,
    card: dict[str, Any],
    past: Past,
    track: Mapping[str, Any] | None = None,
    acting: Acting | None = None,
    health: AccountHealth | None = None,
    insights: Mapping[str, Mapping[str, Any]] | None = None,
    customers: CustomerFacts | None = None,
    progress: Progress = silent,
) -> Publication:
    """Gather what the service answers from.

    Parameters
    ----------
    tables, champion, forecast
        The checked tables, the model in charge, and the forecast that it made from them.
    params
        All settings.
    card
        The model card, see `training.tracking.model_card`.
    past
        What earlier runs said and the bridge from the last official one, as `serving.publication.on_record` gives it.
    track
        The track record, as `serving.publication.on_record.read_track` gives it; None if none is to be published.
    acting
        What to do next; None if nothing is recommended.
    health
        The health of accounts at the forecast's date; worked out here if None.
    insights
        As `serving.publication.insights` gives them; None if none are published.
    customers
        Facts about customers; None if none are to be published.
    progress
        Told how far the work is.
    """
    progress("gathering what accounts did", 0, 1)
    as_of, earlier = forecast.as_of, earlier_snapshot(tables, forecast.as_of, params)
    published_health = published(health or account_health(tables, as_of, params), tables, params)
    facts, here = customers or CustomerFacts(), customers_at(tables, as_of, params)
    labels = _labels(tables, as_of, params.budget)
    progress("scoring past snapshots", 0, 1)
    history, scores = _history(tables, champion, as_of, params), Scores(forecast)
    return Publication(
        about=_about(forecast, champion, tables, params, card)
        | {"bridge": _about_bridge(past.bridge), "health": published_health.about}
        | {"trailing": realised_trailing(tables, as_of, params), "customers": dict(facts.about)}
        | _tracked(track)
        | about_plays(acting or Acting()),
        accounts=_accounts(as_of, labels, scores, history),
        scores=scores,
        **_happened(tables, as_of, params),
        history=_with_published(past, history, forecast),
        past_figures=past.figures,
        moves=moves_until(tables, labels, as_of, params),
        bridge=_bridge(past.bridge, labels),
        actions=named_plays((acting or Acting()).table, labels),
        health=published_health,
        customers=facts,
        nrr=forecast.nrr_forecast,
        renewals=forecast.renewal_forecast,
        snapshot=here,
        earlier=earlier,
        norms=forecast.norms or usual(champion, here, earlier, params),
        insights=insights or {},
    )


def _happened(tables: Tables, as_of: date, params: Params) -> dict[str, Any]:
    """What happened to each account: activity by month, contract events, and the life of its people and goals."""
    months, budget = params.serving.history_months, params.budget
    return {
        "activity": _by_month(monthly_activity(tables, as_of=as_of, months=months, budget=budget)),
        "events": ToldOf(contract_events(tables, as_of=as_of, budget=budget), _EVENT),
        "life": ToldOf(life_events(tables, as_of=as_of, months=months, budget=budget), _LIFE_EVENT),
        "plan": ToldOf(goal_values(tables, as_of=as_of, budget=budget), PLAN_COLUMNS[1:]),
    }


def usual(champion: Champion, customers: pd.DataFrame, earlier: pd.DataFrame | None, params: Params) -> Norms:
    """What is usual in each peer group of the customers by a champion."""
    compared = background(champion.model.all_inputs, customers, earlier)
    explained = explain(champion.model, customers)
    return norms_of(champion.model, customers, explained, compared, expected_ways(params))


def customers_at(tables: Tables, as_of: date, params: Params) -> pd.DataFrame:
    """The snapshot rows of the accounts with ARR at a date."""
    return customers_in(stored(tables, [as_of], params=params))


def customers_in(snapshots: Snapshots) -> pd.DataFrame:
    """The rows of the accounts with ARR."""
    frame = snapshots.frame
    return frame[frame["arr"] > 0].reset_index(drop=True)


def _about(
    forecast: Forecast, champion: Champion, tables: Tables, params: Params, card: dict[str, Any]
) -> dict[str, Any]:
    cuts = {str(cut): sorted(part.unique().tolist()) for cut, part in forecast.nrr_forecast.groupby("cut")["value"]}
    return {
        **forecast.describe(),
        "data_until": tables.data_until.isoformat(),
        "horizon_months": champion.model.horizon_months,
        "accounts": int(forecast.account_forecast["account_id"].nunique()),
        "cuts": cuts,
        "account_definition": str(forecast.account_forecast["definition"].iloc[-1]),
        "renewal_definition": str(forecast.renewal_forecast["definition"].iloc[-1])
        if len(forecast.renewal_forecast)
        else "",
        "movement_definition": movement_definition(forecast.as_of, params),
        "model_digest": champion.digest,
        "model": card,
    }


def _tracked(track: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if track is None else {"track_record": dict(track)}


def _about_bridge(bridge: pd.DataFrame | None) -> dict[str, str]:
    """Where the bridge begins, which date it is about, and what its figures mean; texts are empty without one."""
    if bridge is None or bridge.empty:
        return dict.fromkeys(("from_as_of", "from_run_id", "target", "definition"), "")
    first = bridge.iloc[0]
    days = {name: first[name].date().isoformat() for name in ("from_as_of", "target")}
    return {**days, "from_run_id": str(first["from_run_id"]), "definition": str(first["definition"])}


def _bridge(bridge: pd.DataFrame | None, labels: pd.DataFrame) -> pd.DataFrame:
    """A row an account with whose book it is in now."""
    if bridge is None:
        return pd.DataFrame(columns=names_of(BRIDGE.at(Place.API)))
    csm = labels[CSM.name].reindex(bridge["account_id"]).to_numpy() if CSM.name in labels else NO_LABEL
    rows = bridge.assign(csm=csm)[names_of(BRIDGE.at(Place.API))]
    return rows.assign(csm=rows[CSM.name].fillna(NO_LABEL))


def _labels(tables: Tables, as_of: date, budget: Budget) -> pd.DataFrame:
    """Text attributes in force of all accounts known, customer or not."""
    texts = [c for c in tables.attribute_columns if c not in _NO_LABELS]
    return labels_in_force(tables, as_of, texts, budget)


_NO_LABELS = (
    "customer_since", "acquisition_cost", "technical_fit", "functional_fit", "experience_fit", "support_fit",
    "buy_in_fit",
)  # fmt: skip


def _accounts(as_of: date, labels: pd.DataFrame, scores: Scores, history: pd.DataFrame) -> pd.DataFrame:
    """A row an account, in the order of the scores."""
    here = labels.reindex(scores.account_ids).fillna(NO_LABEL)
    names = here["name"] if "name" in here.columns else pd.Series(here.index, index=here.index)
    here = here.drop(columns="name", errors="ignore")
    return pd.DataFrame(
        {
            "account_id": here.index,
            "name": names.where(names != NO_LABEL, here.index).to_numpy(),
            "labels": here.to_dict(orient="records"),
            **{label: here[label].to_numpy() if label in here.columns else NO_LABEL for label in names_of(LABELS)},
            **_of_scores(scores, as_of),
            "trend": _trend(history).reindex(here.index).to_numpy(),
        }
    )


def _of_scores(scores: Scores, as_of: date) -> dict[str, list[Any]]:
    """The columns that an account's score tells."""
    columns: dict[str, list[Any]] = {}
    for score in scores:
        told = {fact: score[fact] for fact in names_of(ACCOUNT_FACTS)}
        told |= {"top_reason": top_reason(score, as_of), "growth_reason": leading_reason(score, "expansion")}
        for name, value in (told | _beside_peers(score)).items():
            columns.setdefault(name, []).append(value)
    return columns


def _trend(history: pd.DataFrame) -> "pd.Series[float]":
    """Change of the churn probability since the snapshot before, both by the same model; missing without one."""
    dates = sorted(history["as_of"].unique())
    if len(dates) < 2:
        return pd.Series(dtype=float)
    now, before = (
        history[history["as_of"] == day].set_index("account_id")["churn_probability"] for day in dates[:-3:-1]
    )
    return pd.Series(now - before)


def _beside_peers(score: Score) -> dict[str, float]:
    """The peers' mean churn probability over the longest horizon, and how far above it the account lies."""
    row = score["peers"]["churn"]
    above = row["probability"] - row["peer_probability"]
    return {
        "peer_churn_probability": row["peer_probability"],
        "arr_above_peers": round(score["arr"] * max(0.0, above), 2),
        "above_peers": round(above, 6),
    }


def top_reason(score: Score, as_of: date) -> str:
    """What the customer or the team does that raises the churn probability most; else that nothing is unusual."""
    return leading_reason(score, "churn") or nothing_unusual(score["renews_on"], as_of.isoformat())


def leading_reason(score: Score, outcome: Outcome) -> str:
    """What the customer or the team does that raises a probability most; empty if nothing does."""
    leading = [reason for reason in score["drivers"][outcome] if reason["leads"] and reason["effect"] > 0]
    return str(min(leading, key=lambda reason: reason["display_rank"])["text"]) if leading else ""


def _history(tables: Tables, champion: Champion, as_of: date, params: Params) -> pd.DataFrame:
    """What the champion says of today's and past snapshots: each from what was known then."""
    starts = [add_months(as_of.replace(day=1), -m) for m in range(params.serving.rescored_months + 1)]
    dates = sorted({as_of, *(day for day in starts if day <= as_of)})
    parts = []
    for day, snapshots in each_stored(tables, dates, params=params):
        frame = customers_in(snapshots)
        if len(frame):
            churn = champion.model.predict(frame).event_probability("churn")[:, champion.model.horizon_months - 1]
            parts.append(frame[["account_id", "arr"]].assign(as_of=day.isoformat(), churn_probability=churn))
    rescored = pd.concat(parts, ignore_index=True)
    return rescored.assign(kind=RESCORED, model_version=champion.version)


def _with_published(past: Past, history: pd.DataFrame, forecast: Forecast) -> pd.DataFrame:
    """What earlier runs said of today's accounts, the rescored history, and this publication's own figures."""
    accounts = forecast.account_forecast
    earlier = past.scores[past.scores["account_id"].isin(accounts["account_id"])].assign(kind=PUBLISHED)
    scores = accounts[accounts["horizon_months"] == accounts["horizon_months"].max()]
    scores = scores[["account_id", "arr", "churn_probability", "model_version"]]
    scores = scores.assign(as_of=forecast.as_of.isoformat(), kind=PUBLISHED)
    parts = [part for part in (earlier, history, scores) if len(part)]
    return pd.DataFrame(pd.concat(parts, ignore_index=True))


def _by_month(activity: pd.DataFrame) -> tuple[list[str], Mapping[str, dict[str, list[float]]]]:
    """The months from first to last, and of each account and signal the amounts in them."""
    if activity.empty:
        return [], {}
    months = pd.date_range(activity["month"].min(), activity["month"].max(), freq="MS")
    place = months.get_indexer(pd.DatetimeIndex(activity["month"]))

    def amounts_of(rows: list[list[Any]]) -> dict[str, list[float]]:
        amounts: dict[str, list[float]] = {}
        for signal, month, amount in zip(*rows, strict=True):
            amounts.setdefault(signal, [0.0] * len(months))[month] = amount
        return amounts

    told = ToldOf(activity.assign(place=place), ("signal", "place", "amount"), amounts_of)
    return [month.date().isoformat() for month in months], told


_EVENT = ("day", "event", "product", "kind", "mrr", "currency")
_LIFE_EVENT = ("day", "event", "what", "side", "score", "due")
