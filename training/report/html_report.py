"""The backtest as one page that needs nothing else: the verdict first, then figures and tables with their meaning.

A page and its tables are written to a folder of the run, which appears whole or not at all; then the link `latest` is
turned to it in one step.
"""

import base64
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from models.scores.evaluation import AccountScore
from training.learn.importance import Explanation
from training.report import figures
from training.report.figures import Panel
from training.report.html_columns import Column, columns_of
from training.report.html_page import PAGE
from training.report.lead import LOUD, lead
from training.tracking.evidence import table_text

LATEST = "latest"
PAGE_NAME = "report.html"
PIXELS = 78  # an inch; three figures stand beside each other on a wide screen
_PREFIX = "data:image/svg+xml;base64,"


@dataclass(frozen=True)
class Picture:
    """A figure as it stands in the page: a title and its data as an address within the page."""

    title: str
    source: str
    width: int


@dataclass(frozen=True)
class Shown:
    """A table as text: heads with their meanings, rows of cells."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A part of the page; `folded` parts open on a click."""

    title: str
    words: str
    pictures: Sequence[Picture] = ()
    table: Shown | None = None
    folded: bool = False


def render(
    verdict: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
    scores: Sequence[AccountScore],
    explained: Sequence[Explanation],
    about: Mapping[str, str],
) -> str:
    """The page of a backtest as text."""
    sections = [*_portfolio_sections(tables), *_account_sections(tables, scores), *_cut_sections(tables)]
    heading = "Backtest: forecasts from past dates against what happened"
    first = lead(verdict, tables["portfolio"])
    return page_of("Backtest", heading, verdict, [*sections, *_model_sections(explained)], about, first)


def page_of(
    title: str,
    heading: str,
    verdict: Sequence[str],
    sections: Sequence[Section],
    about: Mapping[str, str],
    first: Sequence[str] = (),
) -> str:
    """A report as text: what stands first, the verdict, then its sections."""
    from jinja2 import Environment

    lines = [(line, line.startswith(LOUD)) for line in verdict]
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(PAGE)
    opening = [(line, line.startswith(LOUD)) for line in first]
    return template.render(title=title, heading=heading, lead=opening, verdict=lines, about=about, sections=sections)


def write(page: str, tables: Mapping[str, pd.DataFrame], folder: Path, run_id: str) -> Path:
    """Write the page and its tables, as CSV and Parquet, under `folder`; returns the page's place by the link."""
    folder.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(prefix=".making-", dir=folder))
    (working / PAGE_NAME).write_text(page, encoding="utf-8")
    for name, table in tables.items():
        (working / f"{name}.csv").write_text(table_text(table), encoding="utf-8")
        table.to_parquet(working / f"{name}.parquet", index=False)
    working.rename(folder / run_id)
    _turn(folder / LATEST, Path(run_id))
    for left in folder.glob(".making-*"):  # of a run that was killed
        shutil.rmtree(left)
    return folder / LATEST / PAGE_NAME


def _turn(link: Path, target: Path) -> None:
    """Make a link point elsewhere in one step."""
    new = link.with_name(f".{link.name}-new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def _portfolio_sections(tables: Mapping[str, pd.DataFrame]) -> list[Section]:
    portfolio = tables["forecasts"]
    return [
        Section(
            "NRR forecast against the actual NRR",
            "At each forecast date the model was fitted on what was known then. Bars: 50, 80 and 90 % intervals of NRR "
            "over the horizon; dots: actual; orange: the baselines.",
            pictures(figures.backtest_panels(portfolio)),
        ),
        Section(
            "Errors and intervals of NRR and GRR",
            "All in points: 1 point is 1 % of the ARR at the forecast date.",
            table=_table("portfolio", tables["portfolio"]),
        ),
        Section(
            "Do the intervals hold?",
            "Share of forecast dates whose NRR or GRR lay inside the interval, against what it promised; below "
            "the dashed line, intervals are too narrow.",
            pictures(figures.coverage_panels(portfolio)),
        ),
        Section(
            "Skill against the baselines",
            "By how much the model's loss is smaller than the baseline's: log-loss of the probabilities, CRPS of NRR. "
            "Lines: 90 % intervals by a block bootstrap over forecast dates. Hollow: fewer than six windows fit beside "
            "each other, or fewer than ten accounts had the outcome, so that no interval can be trusted. An arrow at "
            "the left edge: far below, at the number beside it.",
            pictures(figures.skill_panels(tables["skill"])),
            _table("skill", tables["skill"]),
        ),
    ]


def _account_sections(tables: Mapping[str, pd.DataFrame], scores: Sequence[AccountScore]) -> list[Section]:
    return [
        Section(
            "Are the probabilities right?",
            "Predicted probability against the actual share, in bins of equal numbers of accounts; bars: 95 % "
            "intervals. On the dashed line a forecast of 20 % comes in 20 of 100 cases.",
            pictures(figures.calibration_panels(scores)),
            _table("scores", tables["scores"]),
        ),
        Section(
            "Cross-sells",
            "Accounts with at least one month in which ARR grows and another product or buying centre is paid for.",
            table=_table("cross_sells", tables["cross_sells"]),
        ),
        Section(
            "The accounts you can call",
            "Of those who left within the horizon, how many were among the k accounts called: the most likely by the "
            "model, the worst by the health score, or any. Means over the forecast dates.",
            pictures(figures.capacity_panels(tables["capacity_curve"])),
            _table("capacity", tables["capacity"]),
        ),
    ]


def _cut_sections(tables: Mapping[str, pd.DataFrame]) -> list[Section]:
    words = "Values of few accounts are left out"
    return [
        Section(
            "Where it is biased",
            "Events expected and seen in the months ahead by the account's term, by where the month lies on its "
            "renewal calendar, by tenure and months ahead, and in the month after the end of a term by whether ARR "
            "changed at it. Accounts share their luck, so that all may be off together: a value that is off alone is a "
            "bias.",
            table=_table("bias", tables["bias"]),
            folded=True,
        ),
        Section(
            "NRR and GRR by cut", f"{words}.", table=_table("portfolio_by_cut", tables["portfolio_by_cut"]), folded=True
        ),
        Section(
            "Probabilities by cut",
            f"{words}; those in which fewer than ten accounts had the outcome are marked.",
            table=_table("scores_by_cut", tables["scores_by_cut"]),
            folded=True,
        ),
    ]


def _model_sections(explained: Sequence[Explanation]) -> list[Section]:
    """What the model of the newest origin looks at."""
    if not explained:
        return []
    overall = Section(
        "What the model looks at",
        "Mean absolute SHAP value of each input on the log-odds of the outcome in the next month, at the newest "
        "forecast date. What the model saw, not what an action would change.",
        pictures(figures.importance_panels(explained)),
    )
    return [
        overall,
        *(
            Section(
                f"How {explanation.outcome} depends on its strongest inputs",
                "Each dot is an account: the input's value, and what it adds to the log-odds.",
                pictures(figures.dependence_panels(explanation)),
            )
            for explanation in explained
            if explanation.outcome != "contraction"
        ),
    ]


def pictures(panels: Sequence[Panel]) -> list[Picture]:
    """Figures as they stand in the page."""
    return [
        Picture(panel.title, _PREFIX + base64.b64encode(figures.svg(panel)).decode(), round(panel.width * PIXELS))
        for panel in panels
    ]


def _table(name: str, frame: pd.DataFrame) -> Shown | None:
    """The columns that the page shows of a table; None where it is empty."""
    if frame.empty:
        return None
    columns = [column for column in columns_of(name) if column.key in frame.columns]
    rows: list[dict[str, Any]] = frame.to_dict(orient="records")  # type: ignore[assignment]
    return Shown(columns, [[column.cell(row[column.key]) for column in columns] for row in rows])
