"""A gate on what work costs: CPU ratios within one run against floors, so that a busy machine changes little.

Each ratio is of the product's work and of the least that the same work takes, one after the other, the better of a few
tries. `make gate` fails where one lies above its bound, and writes all to benchmarks/out/gate.json with
the commit. Bounds leave room for noise above what was measured; `asked` is where they should go.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import cost_of
from models.outcomes.keyed_draws import Purpose, streams, uniforms
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import SharedLuck
from models.paths.rollup import roll_up
from models.paths.simulate import PathSettings, account_paths
from params import Params, load
from training.tracking.champion import ALIAS
from training.tracking.store import open_store

OUT = Path(__file__).with_name("out") / "gate.json"
TRIES = 3
ACCOUNTS, MONTHS, CSMS, CHUNK = 1_000, 12, 250, 32
SETTINGS = PathSettings(draws=500, seed=7, min_change=0.001)
Cuts = dict[str, NDArray[np.object_]]


@dataclass(frozen=True)
class Ratio:
    """What some work costs, in units of something simpler, beside its bound and what is asked for."""

    work: str
    floor: str
    ratio: float
    bound: float
    asked: float

    @property
    def kept(self) -> bool:
        """Whether it lies within its bound."""
        return self.ratio <= self.bound


def ratios() -> Iterator[Ratio]:
    """What the roll-up costs."""
    one, two = portfolio(ACCOUNTS), portfolio(2 * ACCOUNTS)
    for warm in (by_csm(one, 4), {}):
        roll_up(_first(one, CHUNK), SETTINGS, horizon_months=MONTHS, cuts={k: v[:CHUNK] for k, v in warm.items()})
    bare = cpu_seconds(lambda: bare_loop(one))
    cut = cpu_seconds(lambda: roll_up(one, SETTINGS, horizon_months=MONTHS, cuts=by_csm(one, CSMS)))
    cut_twice = cpu_seconds(lambda: roll_up(two, SETTINGS, horizon_months=MONTHS, cuts=by_csm(two, CSMS)))
    alone = cpu_seconds(lambda: account_paths(one, SETTINGS, horizon_months=MONTHS))
    what = f"roll-up of {ACCOUNTS:,} accounts, {CSMS} CSMs"
    yield Ratio(what, "a bare loop of one uniform and one compare", cut / bare, bound=12.0, asked=3.0)
    yield Ratio(what, "the same accounts without any sums", cut / alone, bound=3.0, asked=1.5)
    yield Ratio("roll-up of twice the accounts", what, cut_twice / cut, bound=2.6, asked=2.0)


def of_a_question() -> Iterator[Ratio]:
    """What a list of the model's versions costs, which reads a few rows of MLflow's database."""
    with tempfile.TemporaryDirectory() as folder:
        record_version(load(overrides=[f"data_dir={folder}"]))
        question = [sys.executable, "-m", "holdfast", "models", "--json", "--set", f"data_dir={folder}"]
        asked, imported = (
            min(cost_of(command).cpu_seconds for _ in range(TRIES))
            for command in (question, [sys.executable, "-c", "import mlflow"])
        )
    yield Ratio("holdfast models, from the start of the process", "importing MLflow", asked / imported, 0.6, 0.25)


def record_version(params: Params) -> None:
    """A registered version in charge, in a store of its own."""
    name = params.model.name
    with open_store(params) as store:
        run = store.client.create_run(store.experiment(params.tracking.experiment), tags={"as_of": "2026-01-01"})
        store.client.create_registered_model(name)
        made = store.client.create_model_version(name, run.info.artifact_uri, run.info.run_id)
        store.client.set_registered_model_alias(name, ALIAS, made.version)


def portfolio(accounts: int) -> Prediction:
    """Accounts of a portfolio, whose hazards are those of many a company."""
    chance = np.random.default_rng(1)
    hazards = chance.uniform(0.0, 1.0, (accounts, MONTHS + 1, 3)) ** 3 * np.array([0.05, 0.03, 0.08])
    return Prediction(
        account=streams(range(accounts)),
        first_month=12 * 2026 + 1,
        arr=chance.lognormal(10, 1, accounts),
        size=chance.normal(size=accounts),
        hazards=hazards,
        pool_index=np.broadcast_to([0, 1], (accounts, MONTHS + 1, 2)),
        pools=(np.array([0.5, 0.7]), np.array([1.2, 1.4])),
        pool_names=("down", "up"),
        luck=SharedLuck(),
        gap_months=0,
        estimation=Estimation.none(2),
        cross_sell_share=np.full(accounts, np.nan),
    )


def by_csm(prediction: Prediction, csms: int) -> Cuts:
    """The accounts' CSMs."""
    return {"csm": np.array([f"csm {number % csms}" for number in range(len(prediction.arr))], dtype=object)}


def bare_loop(prediction: Prediction) -> int:
    """How many would leave: a uniform number of each account, month and draw, and whether it lies below the hazard."""
    count = 0
    for start in range(0, len(prediction.arr), CHUNK):
        account, hazards = prediction.account[start : start + CHUNK], prediction.hazards[start : start + CHUNK]
        for month in range(MONTHS):
            luck = uniforms(SETTINGS.seed, account, month, Purpose.OUTCOME, draws=SETTINGS.draws)
            count += int((luck < hazards[:, month, :1]).sum())
    return count


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process for the best of a few tries."""
    tries = []
    for _ in range(TRIES):
        start = time.process_time()
        work()
        tries.append(time.process_time() - start)
    return min(tries)


def _first(prediction: Prediction, count: int) -> Prediction:
    return prediction.rows(np.arange(count))


def main() -> None:
    """Measure, write, and fail where a ratio lies above its bound."""
    measured = [*ratios(), *of_a_question()]
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    OUT.parent.mkdir(exist_ok=True)
    content = {"commit": head.stdout.strip(), "ratios": [asdict(one) | {"kept": one.kept} for one in measured]}
    OUT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for one in measured:
        mark = "kept" if one.kept else "TOO MUCH"
        print(f"{mark}: {one.work} costs {one.ratio:.2f} x {one.floor} (bound {one.bound}, asked {one.asked})")
    if not all(one.kept for one in measured):
        sys.exit(1)


if __name__ == "__main__":
    main()
