"""Goals, what they are measured by, and the milestones of both sides on the way to first value."""

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display, conform, dates, named
from features.simulation.months import FAR, Ints
from features.simulation.state import expit

_GOAL_TEXTS = {
    "first_value": ("first report in use", "first team live", "first process automated"),
    "twelve_month": ("adoption across teams", "reporting time halved", "audit passed", "cost per case down"),
}


def goals(display: Display) -> pd.DataFrame:
    """Each account's goals for first value and for twelve months."""
    whole = pd.concat([_first_value(display), _twelve_month(display)], ignore_index=True)
    frames = [_with_metric(display, whole), _milestones(display, whole)]
    return conform("goals", pd.concat(frames, ignore_index=True), ["account_id", "horizon"])


def _first_value(display: Display) -> pd.DataFrame:
    rng, profile = display.generator("goals", "first value"), display.history.company.profile
    count = display.history.accounts
    planned = np.array([60, 90, 120])[profile.segment]
    needed = 0.85 * planned * np.exp(-0.35 * profile.level + 0.45 * rng.standard_normal(count))
    achieved = np.where(rng.random(count) < 0.95, profile.joins + np.maximum(needed, 3).astype(np.int64), FAR)
    return _goals(display, rng, "first_value", profile.joins, profile.joins + planned, achieved)


def _twelve_month(display: Display) -> pd.DataFrame:
    rng, profile = display.generator("goals", "twelve months"), display.history.company.profile
    count = display.history.accounts
    set_on = profile.joins + rng.integers(10, 60, count)
    reached = rng.random(count) < expit(0.7 + 1.1 * profile.level)
    achieved = np.where(reached, profile.joins + rng.integers(200, 430, count), FAR)
    return _goals(display, rng, "twelve_month", set_on, profile.joins + 365, achieved)


def _goals(
    display: Display, rng: np.random.Generator, horizon: str, set_on: Ints, due_on: Ints, achieved: Ints
) -> pd.DataFrame:
    until = display.history.company.state.until
    rows = np.flatnonzero((set_on < display.history.last_day) & (set_on < until))
    reached = np.where(achieved < until, achieved, FAR)
    texts = _GOAL_TEXTS[horizon]
    columns = {
        "account_id": display.account_ids[rows],
        "goal": named(texts, rng.integers(len(texts), size=len(rows))),
        "horizon": horizon,
        "set_on": dates(set_on[rows]),
        "due_on": dates(due_on[rows]),
        "achieved_on": display.past(reached[rows]),
    }
    return pd.DataFrame(columns)


def _days(column: pd.Series) -> Ints:
    """Dates as day numbers, `FAR` where there is none."""
    days = (column.to_numpy().astype("datetime64[D]") - np.datetime64("1970-01-01", "D")).astype(np.int64)
    return np.where(column.isna().to_numpy(), FAR, days)


def _with_metric(display: Display, whole: pd.DataFrame) -> pd.DataFrame:
    """What each goal of twelve months is measured by, and how far it had come when somebody last looked."""
    rng, account = display.generator("goals", "metric"), display.account_ids.searchsorted(whole["account_id"])
    profile, until = display.history.company.profile, display.history.company.state.until
    baseline, count = np.round(20 + 30 * rng.random(len(whole))), len(whole)
    target = np.round(baseline * (0.5 + 0.2 * rng.random(count)))
    updated = np.minimum(display.history.last_day, until[account]) - 1 - rng.integers(0, 75, count)
    share = expit(0.6 + 1.0 * profile.level[account] + 0.6 * rng.standard_normal(count))
    share = np.where(_days(whole["achieved_on"]) < FAR, 1.0, share)
    is_measured = (whole["horizon"] == "twelve_month").to_numpy()
    is_updated = is_measured & (updated > _days(whole["set_on"])) & (rng.random(count) < 0.8)
    measured = {"baseline_value": baseline, "target_value": target}
    measured["current_value"] = np.where(is_updated, np.round(baseline + share * (target - baseline), 1), np.nan)
    frame = whole.assign(**{name: np.where(is_measured, cells, np.nan) for name, cells in measured.items()})
    frame["metric"], frame["unit"] = (
        named((None, text), is_measured.astype(np.int64)) for text in ("hours of reporting a week", "hours")
    )
    frame["updated_on"] = dates(np.where(is_updated, updated, FAR))
    return frame


_MILESTONES = (  # of the goal for first value: name, whose task it is, share of the time to its due day
    ("kickoff held", "vendor", 0.15),
    ("data connected", "vendor", 0.4),
    ("users named", "customer", 0.35),
    ("process agreed", "customer", 0.7),
)


def _milestones(display: Display, whole: pd.DataFrame) -> pd.DataFrame:
    """The way to first value: the customer's tasks are late where its hidden level is low, ours at random."""
    first = whole[whole["horizon"] == "first_value"].reset_index(drop=True)
    account = display.account_ids.searchsorted(first["account_id"])
    level, until = display.history.company.profile.level[account], display.history.company.state.until[account]
    frames = []
    for name, side, share in _MILESTONES:
        rng = display.generator("goals", "milestone", name)
        set_on, planned = _days(first["set_on"]), _days(first["due_on"]) - _days(first["set_on"])
        due = set_on + np.maximum(share * planned, 1).astype(np.int64)
        late = 0.5 * rng.standard_normal(len(first)) - (0.8 * level if side == "customer" else 0.0) - 0.3
        reached = np.where(late < 1.2, due + (0.6 * share * planned * late).astype(np.int64), FAR)
        reached = np.where(reached < until, np.maximum(reached, set_on), FAR)
        columns = {"goal": name, "milestone_of": first["goal"], "owner_side": side, "horizon": "other"}
        columns |= {"account_id": first["account_id"], "set_on": first["set_on"], "due_on": dates(due)}
        frames.append(pd.DataFrame(columns | {"achieved_on": display.past(reached)}))
    return pd.concat(frames, ignore_index=True)
