"""What families of features add, one after the other, out of time: `python -m benchmarks.feature_families`.

Simulated companies, and with `--outside` the public data set churnsim_crm5, are forecast from past dates by models that
know one more family each, from contract lines alone to all there is. Each is scored on the accounts of the same
dates, by
what was known when it was fitted. Families follow the modules of features/families; a family that no table gives
is absent.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import params as settings
from features.families import contract_history, csm_actions, engagement, relationship, success_plan, usage
from features.inputs.load import load_tables
from models.scores.evaluation import log_losses
from params import Params
from training.backtest.origin import Task, prepare
from training.backtest.rolling import history
from training.learn.tuned_fit import fit_model

FAMILIES = (
    ("contract lines and attributes", contract_history),
    ("usage", usage),
    ("engagement, tickets, surveys, contacts", engagement),
    ("CSM actions and goals", csm_actions),
    ("success plan", success_plan),
    ("relationship signals", relationship),
)
CHURNSIM = Path(__file__).parents[1] / "docs" / "examples" / "churnsim_crm5.yaml"
Row = dict[str, Any]


def main() -> None:
    asked = _arguments()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, params in _companies(asked, Path(folder)):
            for row in company_scores(name, params):
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
            if asked.out:
                pd.DataFrame(rows).to_csv(asked.out, index=False)
    for line in summary(pd.DataFrame(rows)):
        print(line)


def _companies(asked: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Params]]:
    """Settings of each company to forecast."""
    common = ["threads=1", f"backtest.origins={asked.origins}", f"backtest.every_months={asked.apart}", *asked.set]
    if asked.outside:
        where = [f"source.path={asked.outside}", f"data_dir={folder / 'outside'}", f"tracking.uri={_store(folder)}"]
        yield "churnsim_crm5", settings.load(CHURNSIM, [*common, *where])
    for seed in range(asked.first_seed, asked.first_seed + asked.companies):
        size = [f"simulated.accounts={asked.accounts}", f"simulated.months={asked.months}", f"seed={seed}"]
        yield "simulated", settings.load(None, [*common, *size, f"data_dir={folder / str(seed)}"])


def _store(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def company_scores(name: str, params: Params) -> Iterator[Row]:
    """A row a date and number of families known: log-loss and AUC of churn at the longest horizon that has come."""
    tables = load_tables(params).tables
    full, origins = history(tables, params=params)
    for origin in origins:
        task = prepare(tables, full, origin, params=params, with_rivals=False)
        for family, known in nested(tuple(item.name for item in task.dataset.inputs)):
            inputs = tuple(item for item in task.dataset.inputs if item.name in known)
            model, _ = fit_model(replace(task.dataset, inputs=inputs), None, params)
            yield {"company": name, "seed": params.seed, "origin": origin.isoformat(), "family": family,
                   "features": len(inputs), **_scores(model, task)}  # fmt: skip


def nested(inputs: Sequence[str]) -> Iterator[tuple[str, set[str]]]:
    """Each family that has inputs, with the inputs known once it is added; what no family holds goes with the first."""
    names = {family: {feature.name for feature in module.FEATURES} for family, module in FAMILIES}
    listed = set().union(*names.values())
    known = {name for name in inputs if name not in listed}
    for family, of_family in names.items():
        more = of_family & set(inputs)
        if more:
            known = known | more
            yield family, known


def _scores(model: Any, task: Task) -> Row:
    dataset = task.dataset
    cohort = dataset.frame[dataset.cohort(dataset.as_of)].reset_index(drop=True)
    horizon = max(task.horizons)
    left = ((task.actual_paths[:, horizon] == 0) & ~task.paused[:, horizon]).astype(float)
    predicted = model.predict(cohort).event_probability("churn")[:, horizon - 1]
    auc = float(roc_auc_score(left, predicted)) if 0 < left.sum() < left.size else float("nan")
    return {"horizon_months": horizon, "accounts": len(cohort), "left": int(left.sum()),
            "log_loss": float(log_losses(predicted, left).mean()), "auc": auc}  # fmt: skip


def summary(rows: pd.DataFrame) -> Iterator[str]:
    """A table of Markdown: a row a family, as it is added; a minus is a gain.

    The standard error is that of the change over companies and dates, as if they were independent, which makes it
    small.
    """
    yield "| data | family added | features | log-loss | change | standard error | better at | AUC |"
    yield "|---|---|---|---|---|---|---|---|"
    for company, part in rows.groupby("company", sort=True):
        losses = part.pivot(index=["seed", "origin"], columns="family", values="log_loss")
        before = None
        for family in (name for name, _ in FAMILIES if name in losses):
            here = part[part["family"] == family]
            told = f"| {company} | {family} | {here['features'].max()} | {here['log_loss'].mean():.4f} "
            if before is None:
                yield told + f"| | | | {here['auc'].mean():.3f} |"
            else:
                change = (losses[family] / losses[before] - 1).to_numpy()
                error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else float("nan")
                better = f"{int((change < 0).sum())} of {len(change)}"
                yield told + f"| {change.mean():+.1%} | {error:.1%} | {better} | {here['auc'].mean():.3f} |"
            before = family


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feature_families", description=__doc__)
    parser.add_argument("--companies", type=int, default=3)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--months", type=int, default=48)
    parser.add_argument("--first-seed", type=int, default=4001)
    parser.add_argument("--origins", type=int, default=3, help="past dates of each")
    parser.add_argument("--apart", type=int, default=3, help="months between them")
    parser.add_argument("--outside", type=Path, help="the folder of churnsim_crm5, to look at it too")
    parser.add_argument("--set", action="append", default=[], help="a setting, as of holdfast: model.trees=100")
    parser.add_argument("--out", type=Path, help="a CSV file of all scores")
    return parser.parse_args()


if __name__ == "__main__":
    main()
