"""Signs of the relationship that are seen in time: who fell silent, who is new, who did not answer, who is active."""

from dataclasses import replace
from functools import partial

from features.families.feature import Feature
from features.families.kinds import (
    Value,
    baseline_ratio,
    count,
    days_since,
    distinct_many,
    flag_of,
    needing,
    once_aged,
    ratio,
    value,
    windowed_sum,
)
from features.families.parts import Measure, Stream
from features.families.people import CHAMPION, DECIDES, JOINED, SPONSOR, present
from features.tables.checked import text_of
from features.tables.contract import SCORES
from features.tables.sql import code, flag, one_of
from features.tables.via import Via

SILENT_DAYS, LOOK_BACK_DAYS, YEAR = 60, 180, 365
_NOT_OURS = f"COALESCE({code('side')}, 'customer') <> 'vendor'"
_CHAMPIONS = f"{CHAMPION} AND {_NOT_OURS}"

CHAMPION_USE = Stream(
    "champion_use",
    "usage",
    needs=("usage.used_on", "usage.user_id", "contacts.user_id", "contacts.role"),
    columns=("CAST(ROUND(quantity * 100) AS BIGINT) AS quantity",),
    active="quantity > 0",
    via=Via(text_of("user_id"), "user_id", _CHAMPIONS),
)
CHAMPION_USED = Measure(CHAMPION_USE, "used", "quantity", scale=100)
_MET = ("engagement.kind", "engagement.contact_id", "contacts.contact_id")
CHAMPION_MET = Stream(
    "champion_met", "engagement", needs=(*_MET, "contacts.role"), via=Via("contact_id", "contact_id", _CHAMPIONS)
)
DEPARTMENTS = Stream(
    "departments",
    "engagement",
    needs=(*_MET, "contacts.department"),
    columns=(),
    via=Via("contact_id", "contact_id", _NOT_OURS, (f"MAX({code('department')}) AS department",)),
)

NEW_SPONSORS = Measure(JOINED, "sponsors", flag(f"{SPONSOR} AND side <> 'vendor'"))

_ASKED = ("surveys.sent_on", "surveys.respondent_role")
SENT = Stream("decider_sent", "surveys", needs=_ASKED, day="sent_on", where=f"sent_on IS NOT NULL AND {DECIDES}")
ANSWERED = Stream(
    "decider_answered",
    "surveys",
    needs=(*_ASKED, "surveys.responded_on"),
    where=f"sent_on IS NOT NULL AND {DECIDES}",
)

_SCORED = ("surveys.responded_on", "surveys.score", "surveys.kind", "surveys.respondent_role")
VOICES = Stream(
    "voices",
    "surveys",
    needs=_SCORED,
    columns=(
        "CAST(ROUND(score * 100) AS BIGINT) AS score",
        f"{flag(DECIDES)} AS decides",
        f"{flag(one_of('respondent_role', 'user', 'end_user', 'champion'))} AS uses",
    ),
    where=f"score IS NOT NULL AND {one_of('kind', 'nps')}",
)


def _mean_score(who: str) -> Value:
    """Mean NPS answer of users or deciders over a year, in points."""
    added = windowed_sum(Measure(VOICES, f"{who}_score", f"CASE WHEN {who} = 1 THEN score ELSE 0 END"), YEAR)
    return ratio(added, windowed_sum(Measure(VOICES, who, who), YEAR), scale=100)


_since_use = days_since(CHAMPION_USE, LOOK_BACK_DAYS)
_since_met = days_since(CHAMPION_MET, LOOK_BACK_DAYS)
_silent = f"{{0}} > 0 AND COALESCE({{1}}, {YEAR}) > {SILENT_DAYS} AND COALESCE({{2}}, {YEAR}) > {SILENT_DAYS}"
_champions = present("champions", CHAMPION, "contacts.role")

_feature = partial(Feature, family="engagement")
_champion = partial(_feature, signal="the champion", unit="days", expected=1)
_width = SCORES["nps"][1] - SCORES["nps"][0]

FEATURES: tuple[Feature, ...] = (
    _champion(
        name="champion_days_since_use",
        value=_since_use,
        meaning=f"Days since a champion last used the product; missing if none did in {LOOK_BACK_DAYS} days",
        sentence="a champion last used the product {value} days ago",
    ),
    _champion(
        name="champion_days_since_contact",
        value=_since_met,
        meaning=f"Days since the last contact with a champion; missing if there was none in {LOOK_BACK_DAYS} days",
        sentence="the last contact with a champion was {value} days ago",
    ),
    _champion(
        name="champion_silent_60d",
        value=flag_of(_silent, _champions, _since_use, _since_met),
        unit="0/1",
        meaning=f"Whether a champion is there and none has used the product or been in contact for {SILENT_DAYS} days",
        sentence=f"the champion has been silent for {SILENT_DAYS} days: {{value}}",
    ),
    _champion(
        name="champion_usage_vs_baseline_28d",
        value=baseline_ratio(CHAMPION_USED, 28, 180),
        unit="ratio",
        meaning="The champions' daily use in the last 28 days over their own average of 180 days",
        sentence="the champions use the product {value} times as much as over half a year",
        expected=-1,
    ),
    _feature(
        name="new_sponsors_90d",
        value=needing(once_aged(90, windowed_sum(NEW_SPONSORS, 90)), "contacts.role"),
        unit="people",
        meaning="Executive sponsors who took the role in the last 90 days; missing in the first 90 days",
        sentence="{value} new executive sponsors in the last 90 days",
        signal="stakeholders",
    ),
    _feature(
        name="departments_active_90d",
        value=replace(distinct_many(DEPARTMENTS, "department", 90), needs=DEPARTMENTS.needs),
        unit="departments",
        meaning="Departments of the customer in contact in the last 90 days",
        sentence="{value} departments in contact in the last 90 days",
        signal="stakeholders",
        expected=-1,
    ),
    _feature(
        name="deciders_unanswered_180d",
        value=value("CASE WHEN {0} > {1} THEN {0} - {1} ELSE 0 END", count(SENT, 180), count(ANSWERED, 180)),
        unit="surveys",
        meaning="Surveys sent to decision-makers and sponsors in the last 180 days, less those they answered in them",
        sentence="{value} surveys to decision-makers were not answered",
        signal="surveys",
        expected=1,
    ),
    _feature(
        name="score_gap_365d",
        value=value("{} - {}", _mean_score("uses"), _mean_score("decides")),
        unit="points",
        meaning="Mean NPS answer of users and champions less that of decision-makers and sponsors, of the last year",
        span=(-_width, _width),
        sentence="users score {value} points more than decision-makers",
        signal="surveys",
    ),
)
