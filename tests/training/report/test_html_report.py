"""The page: whole or not at all, nothing of another host, names shown as text."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.report import html_report
from training.report.html_columns import Column, columns_of
from training.report.lead import lead
from training.report.summary import score_rows

pytestmark = pytest.mark.usefixtures("costly")


@pytest.fixture
def page(scored: Any) -> str:
    score = scored(probability=[0.9] * 15 + [0.1] * 15, base=[0.5] * 30, event=[1.0] * 15 + [0.0] * 15)
    days = pd.date_range("2024-01-01", periods=2, freq="MS")
    forecasts = pd.DataFrame({"origin": days, "horizon_months": 3, "metric": "nrr", "mean": 1.0, "actual": 1.01})
    quantiles = {"p25": 0.99, "p75": 1.01, "p10": 0.98, "p90": 1.02, "p05": 0.97, "p95": 1.03}
    forecasts = forecasts.assign(**quantiles, crps=0.01, trailing_nrr=1.0, trailing_nrr_crps=0.01)
    skill = {"outcome": "nrr", "horizon_months": 3, "label": "trailing NRR", "skill": 0.1, "finding": "better"}
    empty = ("capacity", "capacity_curve", "portfolio_by_cut", "cross_sells", "bias")
    tables = {
        "forecasts": forecasts,
        "portfolio": pd.DataFrame({"metric": ["nrr"], "horizon_months": [3], "model_error": [1.0]}),
        "skill": pd.DataFrame([skill | {"low": 0.05, "high": np.nan}]),
        "scores": pd.DataFrame(score_rows([score])),
        "scores_by_cut": pd.DataFrame({"cut": ["region"], "value": ["<b>&</b>"], "few": [True], "auc": [np.nan]}),
        **{name: pd.DataFrame() for name in empty},
    }
    return html_report.render(["NO SKILL FOUND for <churn>", "More."], tables, [score], (), {"Data": "here"})


class Addresses(HTMLParser):
    """What a page would ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]


def test_the_page_asks_nobody_for_anything(page: str) -> None:
    parser = Addresses()
    parser.feed(page)
    assert parser.found
    assert all(address.startswith("data:image/svg+xml;base64,") for address in parser.found)
    assert not {"script", "link", "iframe"} & set(parser.tags)
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in page


def test_the_verdict_comes_first_and_what_is_loud_is_marked(page: str) -> None:
    assert '<li class="loud">NO SKILL FOUND for &lt;churn&gt;</li>' in page
    assert "<li>More.</li>" in page
    headings = ("Verdict", "NRR forecast against the actual NRR", "Are the probabilities")
    order = [page.index(heading) for heading in headings]
    assert order == sorted(order)


def test_the_report_leads_with_its_finding_in_three_sentences(page: str) -> None:
    opening = page.split('<div class="lead">')[1].split("</div>")[0]
    assert opening.index("NO SKILL FOUND for &lt;churn&gt;") < opening.index("NRR forecasts 3 months ahead")
    assert opening.count("<p") == 3
    assert '<p class="loud">NO SKILL FOUND' in opening
    assert page.index("<h1>") < page.index('<div class="lead">') < page.index("<h2>Verdict")


def test_too_few_forecast_dates_lead_whatever_else_was_found() -> None:
    portfolio = pd.DataFrame(
        [
            {"metric": "nrr", "horizon_months": 3, "model_error": 1.0},
            {"metric": "nrr", "horizon_months": 12, "model_error": 3.4, "trailing_nrr_error": 6.0, "coverage_80": 0.8},
        ]
    )
    verdict = ["Churn probabilities beat the base rate 3 months ahead. More.", "TOO FEW FORECAST DATES for it. Trace."]
    assert lead(verdict, portfolio) == [
        "TOO FEW FORECAST DATES for it.",
        "NRR forecasts 12 months ahead were off by 3.4 points, the trailing NRR by 6.0; the actual lay in the 80 % "
        "range in 80 % of the forecasts.",
        "Churn probabilities beat the base rate 3 months ahead.",
    ]
    assert lead(["NOT TESTED: there is too little history."], pd.DataFrame()) == [
        "NOT TESTED: there is too little history."
    ]


def test_names_of_customers_are_text_and_gaps_are_dashes(page: str) -> None:
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page
    assert "<b>&</b>" not in page
    assert "<td>+5%</td>" in page
    assert "<td>–</td>" in page


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (float("nan"), "–"), ("here", "here")])
def test_a_cell(value: Any, text: str) -> None:
    assert Column("a", "a").cell(value) == text


@pytest.mark.parametrize(
    "table", ["portfolio", "portfolio_by_cut", "skill", "scores", "scores_by_cut", "cross_sells", "capacity", "bias"]
)
def test_every_number_in_a_table_says_what_it_means(table: str) -> None:
    """But for names, and for the intervals of 80 and 90 % beside those of 50 %."""
    silent = {column.key for column in columns_of(table) if not column.meaning and not column.is_text}
    assert silent <= {"coverage_80", "coverage_90", "width_80", "width_90"}


def test_the_page_and_its_tables_are_written_whole_and_the_link_follows(tmp_path: Path) -> None:
    (tmp_path / ".making-killed").mkdir()
    table = pd.DataFrame({"a": [1.5], "day": [pd.Timestamp("2024-01-01")]})
    first = html_report.write("first", {"skill": table}, tmp_path, "run1")
    second = html_report.write("second", {"skill": table}, tmp_path, "run2")
    assert first == second == tmp_path / "latest" / "report.html"
    assert second.read_text() == "second"
    assert (tmp_path / "run1" / "report.html").read_text() == "first"
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "latest" / "skill.parquet"), table)
    assert (tmp_path / "latest" / "skill.csv").read_text() == '"a","day"\n1.5,"2024-01-01"\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "run1", "run2"]
