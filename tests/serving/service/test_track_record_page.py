"""The page and the API of the track record: complete, honest about what is not known yet, by book for CSMs."""

from typing import Any

import pytest

from features.forgetting.suppression import ACCOUNT, Suppressed
from serving.forgetting.publications import _forget_track
from serving.track_record.track_record import DEFINITIONS

SKILL = {
    "trailing_nrr": {"label": "trailing NRR", "skill": 0.123, "finding": "too few origins",
                     "words": "12 % better than trailing NRR so far; too few to be sure"}
}  # fmt: skip
MISS = {
    "account_id": "a02", "name": "a02", "horizon_months": 6, "as_of": "2025-01-01", "expected_arr": 1234.0,
    "actual_arr": 0.0, "difference": -1234.0, "churn_probability": 0.07, "starting_arr": 1300.0, "happened": "left",
    "from_leaving": -1209.0, "from_size": -25.0,
}  # fmt: skip
CHURN = {
    "outcome": "churn", "horizon_months": 6, "forecasts": 12, "rows": 4321, "accounts": 37, "mean_predicted": 0.1,
    "mean_observed": 0.12, "log_loss": 0.345, "brier": 0.0987, "calibration_error": 0.021, "skill": {},
}  # fmt: skip


def score(cut: str, value: str, error: float) -> dict[str, Any]:
    shares = {f"inside_{p}{end}": 0.5 for p in (50, 80, 90) for end in ("", "_low", "_high")}
    return {
        "metric": "nrr", "cut": cut, "value": value, "horizon_months": 6, "unit": "points", "forecasts": 12,
        "not_overlapping": 2, "error": error, "bias": -0.4, "crps": 1.23, "pit": [], **shares,
        "skill": SKILL if cut == "total" else {},
    }  # fmt: skip


TRACK: dict[str, Any] = {
    "basis": "first actuals", "currency": "EUR", "official": 12, "withdrawn": 1,
    "scored": 30, "waiting": 20, "next_known_on": "2026-01-31", "answer": ["NRR over 6 months was off by 2.2 points."],
    "rows": [score("total", "total", 2.2), score("csm", "Ada A.", 3.3), score("csm", "Ben B.", 4.4)],
    "accounts": [CHURN], "misses": [MISS], "notes": [], "definitions": DEFINITIONS,
}  # fmt: skip


@pytest.fixture
def tracked(service: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    about = service.desk.following.state.published.about
    monkeypatch.setitem(about, "track_record", TRACK)
    return service


def test_where_nothing_can_be_scored_the_page_says_when(service: Any) -> None:
    page = service.client().get("/track-record").text
    assert "1 official forecast on record, none of which can be scored yet." in page
    assert "The first can be known on 20" in page
    head = service.client().get("/api/track-record").json()["head"]
    assert head in page
    assert f"Record {head[:12]}." in service.client().get("/accounts").text, "the head stands at the foot of pages"


def test_the_page_shows_all_of_it(tracked: Any) -> None:
    page = tracked.client().get("/track-record").text
    for text in (
        "NRR over 6 months was off by 2.2 points.", 'Trailing NRR</th><td class="n">12 %', "By CSM", "Ben B.", "4,321",
        "0.099", "1,234", "1,209", ">left<", "are about one independent year", 'href="/accounts/a02"',
    ):  # fmt: skip
        assert text in page, text


def test_what_an_older_version_published_is_shown_as_far_as_it_goes(
    tracked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ("starting_arr", "happened", "from_leaving", "from_size")
    older = {name: value for name, value in MISS.items() if name not in steps}
    about = tracked.desk.following.state.published.about
    monkeypatch.setitem(about, "track_record", TRACK | {"misses": [older]})
    page = tracked.client().get("/track-record")
    assert page.status_code == 200
    assert ">left<" not in page.text


def test_a_csm_sees_the_scores_of_the_own_book_alone(tracked: Any) -> None:
    client = tracked.client(tracked.token("csm", "Ada A."))
    page, content = client.get("/track-record").text, client.get("/api/track-record").json()
    assert [row["value"] for row in content["rows"]] == ["Ada A."]
    assert (content["official"], content["answer"], content["misses"], content["accounts"]) == (None, [], [], [])
    assert "3.3" in page
    for text in ("2.2", "4.4", "Ben B.", "a02", "4,321", "trailing NRR"):
        assert text not in page, text


def test_the_api_gives_it_to_whoever_sees_all(tracked: Any) -> None:
    content = tracked.client().get("/api/track-record").json()
    assert {name: content[name] for name in TRACK if name != "currency"} == {
        name: value for name, value in TRACK.items() if name != "currency"
    }


def test_a_publication_of_an_older_version_has_none(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(service.desk.following.state.published.about, "track_record")
    assert "No track record is published yet" in service.client().get("/track-record").text
    assert service.client().get("/api/track-record").status_code == 404


def test_who_was_erased_is_no_miss_any_more() -> None:
    suppressed = Suppressed(b"key")
    suppressed = Suppressed(b"key", {ACCOUNT: frozenset({suppressed.digest_of(ACCOUNT, "a02")})})
    left = _forget_track(TRACK, suppressed, {("csm", "Ada A.")})
    assert left["misses"] == []
    assert left["rows"] == TRACK["rows"]
    named = TRACK | {"rows": [score("name", "Company 02", 1.0), score("name", "Company 03", 1.0)]}
    left = _forget_track(named, suppressed, {("name", "Company 03")})
    assert [row["value"] for row in left["rows"]] == ["Company 03"]
