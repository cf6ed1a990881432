"""The watch as a whole: data first, then inputs, then calibration; what they say together, and what is to be done."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from features.asof.table_history import TableHistory, table_histories
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.watch.limits import joint_limits
from models.watch.moved_inputs import Moved, moved_inputs, moved_share
from models.watch.table_charts import FAR, is_stale, missing_jump, volume_score
from models.watch.verdict import Chart, cause_of, charts
from params import Params
from training.learn.dataset import Dataset, assemble
from training.tracking.champion import Champion, load_champion
from training.watch.hazard_months import SLOPE, Watched, luck_of, monthly_log_loss, watched_months
from training.watch.ladder import Before, is_young, version_before

INPUT_MONTHS = 25
MUCH_MOVED = 0.3  # of what the model looks at
OK, DATA, INPUTS, MARKET, MODEL, WAITING = "ok", "data", "inputs", "market", "model", "nothing to watch yet"
Row = dict[str, Any]


@dataclass(frozen=True)
class Watch:
    """What the watch found.

    Attributes
    ----------
    data
        A row a table: `rows`, `volume_score`, `age_days`, `stale`, `missing` (jumps by column), `alarm`.
    inputs
        The inputs of the model, the heaviest first.
    charts
        Of the calibration; empty where no month is known since the model learned.
    months
        The dates of the months watched.
    before
        Where the model is wrong and young: the version before it.
    log_loss
        Of churn in these months, as the model in charge said it month by month; None without months.
    """

    as_of: date
    model_version: str
    trained_as_of: date
    data: tuple[Row, ...]
    inputs: tuple[Moved, ...]
    charts: tuple[Chart, ...]
    months: tuple[date, ...]
    before: Before | None = None
    log_loss: float | None = None

    @property
    def verdict(self) -> str:
        """In one word: what is to blame first."""
        cause = cause_of(self.charts)
        if any(row["alarm"] for row in self.data):
            return DATA
        if cause is not None:
            return cause
        if moved_share(self.inputs) >= MUCH_MOVED:
            return INPUTS
        return OK if self.charts else WAITING

    @property
    def asks_to_retrain(self) -> bool:
        """Whether the model is to be trained again: where it is wrong, and not where the data or the market are."""
        return self.verdict == MODEL

    @property
    def todo(self) -> str:
        """What to do, the least that may help first."""
        alarms = [chart.name for chart in self.charts if chart.alarm and chart.cause == "model"]
        match self.verdict:
            case "data":
                broken = ", ".join(row["table"] for row in self.data if row["alarm"])
                return f"Look at the source of {broken} first: wrong data make a right model look wrong."
            case "market":
                return (
                    "Leave the model as it is: all accounts moved alike, and the level follows with the next training."
                )
            case "model" if alarms == [SLOPE]:
                return "Train again: probabilities are spread too wide or too narrow, and calibration is learned anew."
            case "model":
                return (
                    f"Train again ({', '.join(alarms)}). If it alarms again within two months, go back with "
                    "`holdfast models --in-charge VERSION`, or search its settings with `holdfast train --tune`."
                )
            case "inputs":
                return "Look at what moved. Nothing is wrong with the forecast so far; train again if that stays."
            case _:
                return ""

    def to_json(self) -> Row:
        """The same for machines; the calibration's chart that is farthest beyond its limit stands at its head."""
        first = max(self.charts, key=lambda chart: abs(chart.statistic) / chart.limit, default=None)
        rows = [self._chart(chart) for chart in self.charts]
        head = dict.fromkeys(("statistic", "limit", "alarm", "since", "cause")) if first is None else self._chart(first)
        return {
            "as_of": self.as_of.isoformat(),
            "model_version": self.model_version,
            "trained_as_of": self.trained_as_of.isoformat(),
            "data": list(self.data),
            "inputs": {
                "moved_share": moved_share(self.inputs),
                "rows": [asdict(row) | {"moved": row.moved} for row in self.inputs],
            },
            "calibration": {**head, "months": [day.isoformat() for day in self.months], "charts": rows},
            "served_log_loss": self.log_loss,
            "before": self.before and asdict(self.before),
            "verdict": self.verdict,
            "todo": self.todo,
        }

    def summary(self) -> Row:
        """What a night keeps of it."""
        alarms = [chart.name for chart in self.charts if chart.alarm]
        alarms += [row["table"] for row in self.data if row["alarm"]]
        content = {"verdict": self.verdict, "todo": self.todo, "alarms": alarms, "months": len(self.months)}
        return content | {"model_version": self.model_version, "moved_share": moved_share(self.inputs)}

    def _chart(self, chart: Chart) -> Row:
        content = asdict(chart) | {"alarm": chart.alarm, "since": self.months[chart.since].isoformat()}
        return content | {"cause": chart.cause if chart.alarm else None}


def watch(tables: Tables, *, params: Params, progress: Progress = silent) -> Watch:
    """Look at data, inputs and calibration as of where the data end.

    Raises
    ------
    NoModel
        No model is in charge.
    """
    champion = load_champion(params)
    dates = month_starts(tables, params.snapshots)
    snapshots = stored(tables, dates, params=params, progress=progress)
    progress("watching the model", 0, 1)
    dataset = assemble(tables, snapshots, as_of=dates[-1], params=params)
    watched = watched_months(tables, dataset, champion, params)
    found = Watch(
        as_of=tables.data_until,
        model_version=champion.version,
        trained_as_of=champion.trained_as_of,
        data=tuple(_table_row(one) for one in table_histories(tables, budget=params.budget)),
        inputs=tuple(_inputs(dataset, watched)),
        charts=tuple(_charts(champion, watched, params)),
        months=watched.dates,
    )
    return _with_served(found, tables, dataset, champion, params)


def _with_served(found: Watch, tables: Tables, dataset: Dataset, champion: Champion, params: Params) -> Watch:
    """With how near the model was to the months since; where it is wrong and young, beside the version before it."""
    if not found.months:
        return found
    loss = monthly_log_loss(dataset, champion.model, found.months, params.model.min_change)
    if not (found.asks_to_retrain and is_young(champion.trained_as_of, tables.data_until)):
        return replace(found, log_loss=loss)
    return replace(found, log_loss=loss, before=version_before(tables, dataset, champion, found.months, params))


def _charts(champion: Champion, watched: Watched, params: Params) -> Sequence[Chart]:
    if not any(month.event.any() for month in watched.months):
        return ()
    luck = luck_of(champion.model)
    limits = joint_limits(watched.months, luck, seed=params.seed)
    return charts(watched.months, watched.names, luck, limits)


def _inputs(dataset: Dataset, watched: Watched) -> Sequence[Moved]:
    """The newest snapshot against those of the two years before it."""
    dates = sorted(set(dataset.frame["as_of"]))[-INPUT_MONTHS:]
    frame = dataset.frame[dataset.frame["as_of"].isin(dates)]
    month = pd.Index(dates).get_indexer(frame["as_of"])
    return moved_inputs(frame, month, watched.weights) if len(dates) > 1 else ()


def _table_row(history: TableHistory) -> Row:
    score, stale = volume_score(history.rows), is_stale(history.age_days, history.longest_gap_days)
    jumps = {name: missing_jump(shares, history.rows[0]) for name, shares in history.missing.items()}
    jumps = {name: jump for name, jump in jumps.items() if jump}
    return {
        "table": history.name,
        "rows": history.rows[0],
        "volume_score": score,
        "age_days": history.age_days,
        "longest_gap_days": history.longest_gap_days,
        "stale": stale,
        "missing": jumps,
        "alarm": stale or abs(score) > FAR or bool(jumps),
    }
