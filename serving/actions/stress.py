"""Reverse stress: what it takes until a target is as likely to be reached as not."""

import difflib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.revenue.cut_labels import account_names
from models.outcomes.prediction import Prediction
from models.plans import what_if
from models.plans.even_odds import EVEN, fewest, over_represented, smallest_shift
from models.plans.futures import Futures, simulate_futures
from models.plans.play_value import at_end
from models.plans.what_if import CHURN, EXPANSION, NEVER, WORSE, Lever, Portfolio
from serving.actions.applying import apply, luck_sd
from serving.actions.scenario_file import PRESETS
from serving.actions.scenarios import Bench
from serving.forecast.refusals import BadRequest

Array = NDArray[np.float64]
METRICS = ("nrr", "grr", "logo_retention", "ending_arr")
SEARCH_DRAWS = 250  # of the futures, the first so many, while a shift is looked for
HALVINGS = 8
FEWEST_FUTURES = 20  # that reach the target and that do not: with fewer nothing is said of accounts
TOP = 10


@dataclass(frozen=True)
class Target:
    """What is to be reached: at least so much of a metric at the end of the horizon."""

    metric: str
    value: float

    def probability(self, futures: Futures) -> float:
        """In which share of the futures it is reached."""
        return float(self.reached(futures).mean())

    def reached(self, futures: Futures) -> NDArray[np.bool_]:
        """In which futures it is, shape (draws,)."""
        return np.asarray(futures.draws[self.metric][-1] >= self.value)


def target_of(text: str) -> Target:
    """A target as it is written: nrr=1.10.

    Raises
    ------
    BadRequest
        It cannot be read, or there is no such metric.
    """
    metric, _, value = text.partition("=")
    if metric not in METRICS:
        near = difflib.get_close_matches(metric, METRICS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise BadRequest(f"--target {text}: write METRIC=NUMBER; a target can be of {', '.join(METRICS)}.{hint}")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number) or number <= 0:
        raise BadRequest(f"--target {text}: the number must be above 0, such as nrr=1.10 for 110 %.")
    if metric != "ending_arr" and number > FURTHEST_RATIO:
        raise BadRequest(f"--target {text}: {metric} is a ratio, 1 = 100 %; write 110 % as 1.10.")
    return Target(metric, number)


FURTHEST_RATIO = 5.0


@dataclass(frozen=True)
class _Pull:
    """A lever to look for a shift of: what one unit towards the target is, and how a shift is told."""

    name: str
    shape: Array
    furthest: float
    text: str


def stress(bench: Bench, target: Target) -> dict[str, Any]:
    """What it takes to reach a target, as plain data.

    Returns
    -------
    dict
        `probability` as it is; `levers`, the smallest shift of each alone; `accounts` that are over-represented in the
        futures that reach it; `sufficient`, the smallest set of accounts whose staying suffices; `feasible`, whether it
        is with what is recommended within the hours.
    """
    base = bench.simulate(Portfolio(bench.ground.prediction), keep_ends=True)
    bench.progress("looking for what it takes", 0, 1)
    return {
        "metric": target.metric,
        "target": target.value,
        "horizon_months": bench.months,
        "as_of": bench.as_of.isoformat(),
        "probability": target.probability(base),
        "median": float(np.median(base.draws[target.metric][-1])),
        "levers": [_lever(bench, target, pull) for pull in _pulls(bench)],
        "accounts": _accounts(bench, target, base),
        "sufficient": _sufficient(bench, target),
        "feasible": _feasible(bench, target),
    }


def _pulls(bench: Bench) -> list[_Pull]:
    sd = luck_sd(bench.ground.prediction)
    outcome = np.arange(3)
    market = _Pull("market", -WORSE * sd, 4.0, "The market {shift:+.2f} standard deviations better throughout.")
    return [
        *([market] if sd.any() else []),
        _Pull("churn", np.where(outcome == CHURN, -1.0, 0.0), 3.0, "Odds of churn of all accounts x {less:.2f}."),
        _Pull("expansion", np.where(outcome == EXPANSION, 1.0, 0.0), 3.0, "Odds of expansion of all x {more:.2f}."),
    ]


def _lever(bench: Bench, target: Target, pull: _Pull) -> dict[str, Any]:
    """The smallest shift of one lever that makes the odds even."""

    def with_shift(shift: float, draws: int) -> float:
        prediction = bench.ground.prediction
        lever = Lever(np.broadcast_to(pull.shape, prediction.hazards.shape), np.full(draws, shift))
        return target.probability(_simulate(bench, what_if.with_levers(prediction, [lever]), draws))

    few = min(SEARCH_DRAWS, bench.ground.paths.draws)
    shift = smallest_shift(lambda far: with_shift(far, few), furthest=pull.furthest, steps=HALVINGS)
    if shift is None:
        far = f"No shift of up to {pull.furthest:g} in either direction makes the odds even."
        return {"lever": pull.name, "shift": None, "probability": None, "text": far}
    text = pull.text.format(shift=shift, less=np.exp(-shift), more=np.exp(shift))
    probability = with_shift(shift, bench.ground.paths.draws)
    return {"lever": pull.name, "shift": shift, "probability": probability, "text": text}


def _simulate(bench: Bench, prediction: Prediction, draws: int) -> Futures:
    """The first so many futures."""
    paths = replace(bench.ground.paths, draws=draws)
    return simulate_futures(prediction, paths, months=bench.months, threads=bench.params.threads)


def _accounts(bench: Bench, target: Target, base: Futures) -> list[dict[str, Any]]:
    """The accounts that have the most more in the futures that reach the target."""
    reached = target.reached(base)
    if base.ends is None or not FEWEST_FUTURES <= reached.sum() <= len(reached) - FEWEST_FUTURES:
        return []
    more, stays = over_represented(base.ends, reached)
    ids, names = bench.ground.customers["account_id"].to_numpy(), _names(bench)
    return [
        {
            "account_id": ids[row],
            "name": names.get(ids[row], ids[row]),
            "arr": float(bench.ground.prediction.arr[row]),
            "arr_more": float(more[row]),
            "stays_more": float(stays[row]),
        }
        for row in np.argsort(-more, kind="stable")[:TOP]
        if more[row] > 0
    ]


def _sufficient(bench: Bench, target: Target) -> dict[str, Any]:
    """The fewest accounts, those with the most to lose first, whose staying for certain makes the odds even."""
    prediction, few = bench.ground.prediction, min(SEARCH_DRAWS, bench.ground.paths.draws)
    nobody = np.full(len(prediction.arr), NEVER, dtype=np.int64)
    calm = prediction.under_expected_luck()
    everyone = what_if.forced(calm, nobody, np.ones(len(nobody), dtype=bool))
    gain = prediction.arr * (at_end(everyone, bench.months)[1] - at_end(calm, bench.months)[1])
    order = np.argsort(-gain, kind="stable")
    helps = int((gain > 0).sum())

    def with_staying(number: int) -> float:
        stays = np.isin(np.arange(len(nobody)), order[:number])
        return target.probability(_simulate(bench, what_if.forced(prediction, nobody, stays), few))

    number = fewest(with_staying, helps)
    if number is None:
        return {"accounts": None, "account_ids": [], "arr": None, "text": "Not even if no account left at all."}
    chosen = order[:number]
    arr = float(prediction.arr[chosen].sum())
    ids = bench.ground.customers["account_id"].to_numpy()[chosen].tolist()
    text = "Nothing is needed: the odds are at least even." if not number else "If all of them stayed for certain."
    return {"accounts": number, "account_ids": ids, "arr": arr, "text": text}


def _feasible(bench: Bench, target: Target) -> dict[str, Any]:
    """Whether what is recommended within the hours makes the odds even."""
    if bench.ground.plan is None:
        return {"is_feasible": None, "probability": None, "text": bench.why_no_plan}
    portfolio, _ = apply(PRESETS["plan"], bench.ground, bench.ground.plan)
    probability = target.probability(bench.simulate(portfolio))
    text = "With what is recommended within the hours there are, done again and again as its minimum gaps allow."
    return {"is_feasible": probability >= EVEN, "probability": probability, "text": text}


def _names(bench: Bench) -> dict[str, str]:
    return account_names(bench.tables, bench.as_of, bench.params.budget)


def stress_lines(content: dict[str, Any]) -> list[str]:
    """The answer first, then what each lever would have to do."""
    wanted, median = (_told(content, content[name]) for name in ("target", "median"))
    share = f"{content['probability']:.0%} of the futures; the median is {median}."
    lines = [f"{content['metric']} of at least {wanted} in {content['horizon_months']} months: {share}"]
    lines += ["What would make the odds even, each alone:"]
    lines += [f"  {lever['lever']}: {lever['text']}" for lever in content["levers"]]
    enough, feasible = content["sufficient"], content["feasible"]
    count = "no set of accounts" if enough["accounts"] is None else f"{enough['accounts']:,} accounts"
    lines += [f"  staying: {count}. {enough['text']}"]
    if feasible["probability"] is not None:
        answer = "Feasible" if feasible["is_feasible"] else "Not feasible"
        lines += [f"{answer}: {feasible['probability']:.0%} of the futures. {feasible['text']}"]
    if content["accounts"]:
        lines += ["Where it is reached, these have more ARR than elsewhere:"]
        lines += [f"  {row['name']}: {row['arr_more']:+,.0f} of {row['arr']:,.0f}" for row in content["accounts"]]
    return lines


def _told(content: dict[str, Any], value: float) -> str:
    return f"{value:,.0f}" if content["metric"] == "ending_arr" else f"{value:.1%}"
