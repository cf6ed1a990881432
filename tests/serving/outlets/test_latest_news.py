"""News of alerts and of what was passed up, read off what is published."""

from datetime import UTC, datetime
from typing import Any

from serving.outlets.latest_news import latest_news


def test_new_alerts_and_what_leadership_is_to_be_told_are_news(place: Any) -> None:
    news = latest_news(place.params, datetime(2026, 1, 2, tzinfo=UTC))
    by_event = {piece.event: piece for piece in news}
    assert {"forecast.published", "escalation.raised"} <= set(by_event)
    raised = by_event["escalation.raised"]
    assert raised.text.startswith("Tell leadership: ")
    assert {"number", "says", "causes", "limit"} <= set(raised.data)
    alerts = [piece for piece in news if piece.event == "alerts.fired"]
    rows = alerts[0].data["alerts"] if alerts else []
    assert all(row["fired_on"] == "2026-01-01" and row["steps"] for row in rows)
    assert not alerts or f"{len(rows):,} new alerts as of 2026-01-01" in alerts[0].text
    again = latest_news(place.params, datetime(2026, 1, 3, tzinfo=UTC))
    assert [piece.key for piece in again] == [piece.key for piece in news], "told once: the key is the same"
