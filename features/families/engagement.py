"""Engagement: meetings and community, support tickets, surveys, the people on both sides, and their own forecasts."""

from functools import partial

from features.families.feature import Feature, Span
from features.families.kinds import (
    Value,
    balance,
    before_ratio,
    count,
    days_since,
    distinct,
    mean_hours,
    needing,
    newest,
    ratio,
    value,
    windowed_sum,
)
from features.families.parts import Measure, Stream
from features.families.people import (
    CHAMPION,
    CUSTOMER,
    DECIDES,
    DECISION_MAKER,
    REDUNDANCY_DAYS,
    REDUNDANCY_MOST,
    SIDE_AND_ROLE,
    SPONSOR,
    VENDOR,
    present,
)
from features.tables.contract import SCORES, SEVERE_CODES
from features.tables.sql import code, flag, later_of, one_of

YEAR = 365
MEETING = one_of("kind", "meeting", "qbr", "call")
TRAINING = one_of("kind", "training", "webinar")
COMMUNITY = one_of("kind", "community", "event", "self_help", "referral")
SEVERE = one_of("severity", *SEVERE_CODES)
CALLED = (("churn", -2), ("contract", -1), ("renew", 0), ("expand", 1))

_ENGAGED = ("engagement.kind",)
ENGAGED = Stream("engaged", "engagement", needs=_ENGAGED, columns=("kind", "contact_id"), few="contact_id")
MEETINGS = Measure(ENGAGED, "met", flag(MEETING))
TRAININGS = Measure(ENGAGED, "trained", flag(TRAINING))
GATHERINGS = Measure(ENGAGED, "community", flag(COMMUNITY))
REFERRALS = Measure(ENGAGED, "referred", flag(one_of("kind", "referral")))
APART = (  # kinds of engagement apart from each other: feature, days, kind, what people read
    ("self_help_180d", 180, "self_help", "self-help contacts"),
    ("community_only_180d", 180, "community", "community contacts"),
    ("events_180d", 180, "event", "events attended"),
    ("webinars_180d", 180, "webinar", "webinars"),
    ("references_365d", 365, "reference", "references given"),
)

OPENED = Stream("tickets", "tickets", needs=("tickets.opened_at",), columns=(f"{flag(SEVERE)} AS severe",))
SEVERE_OPENED = Measure(OPENED, "severe", "severe")


def _answered(name: str, until: str) -> Stream:
    """Tickets on the day they were answered or resolved, and the seconds it took: only of those that were."""
    seconds = f"CAST(EXTRACT(EPOCH FROM ({until} - opened_at)) AS BIGINT) AS seconds"
    needs = ("tickets.opened_at", f"tickets.{until}")
    return Stream(name, "tickets", needs, (seconds,), day=until, where=f"{until} >= opened_at")


ANSWERED = Measure(_answered("answered", "first_response_at"), "seconds", "seconds")
RESOLVED = Measure(_answered("resolved", "resolved_at"), "seconds", "seconds")
CLOSED = Stream(
    "tickets_closed",
    "tickets",
    needs=("tickets.resolved_at",),
    columns=(f"{flag(SEVERE)} AS severe",),
    day=later_of("opened_at", "resolved_at"),
    where="resolved_at IS NOT NULL",
)

_SURVEYED = ("surveys.responded_on", "surveys.score")
_ANSWER = (f"{code('kind')} AS kind", "CAST(ROUND(score * 100) AS BIGINT) AS score")
SURVEYED = Stream("surveys", "surveys", needs=_SURVEYED, columns=_ANSWER)
DECIDED = Stream("decided", "surveys", needs=(*_SURVEYED, "surveys.respondent_role"), columns=_ANSWER, where=DECIDES)
DETRACTED = Measure(SURVEYED, "detracted", flag("kind = 'nps' AND score <= 600"))


def _answer(kind: str, *, place: int = 1, stream: Stream = SURVEYED) -> Value:
    """An answer of a kind of survey, newest first, in hundredths of a point."""
    return needing(newest(stream, "score", "score", YEAR, place=place, per=kind, per_sql="kind"), "surveys.kind")


def _points(answer: Value) -> Value:
    return ratio(answer, 100)


LEFT = Stream("people_left", "contacts", needs=("contacts.left_on",), columns=SIDE_AND_ROLE, day="left_on")
CHAMPIONS_LEFT = Measure(LEFT, "champions", flag(CHAMPION))
SPONSORS_LEFT = Measure(LEFT, "sponsors", flag(SPONSOR))
CUSTOMERS_LEFT = Measure(LEFT, "customers", flag(CUSTOMER))

_CASES = " ".join(f"WHEN '{outcome}' THEN {number}" for outcome, number in CALLED)
CALLS = Stream(
    "calls",
    "calls",
    needs=("calls.outcome",),
    columns=(f"CASE {code('outcome')} {_CASES} END AS called",),
    where="outcome IS NOT NULL",
)


ACTED = Stream(
    "vendor_people",
    "csm_actions",
    needs=("csm_actions.acted_on",),
    columns=("csm",),
    where=f"{code('status')} = 'done'",
    few="csm",
)


def _capped(people: Value) -> Value:
    return value(f"CASE WHEN {{0}} > {REDUNDANCY_MOST} THEN {REDUNDANCY_MOST} ELSE {{0}} END", people)


_champions = present("champions", CHAMPION, "contacts.role")
_sponsors = present("sponsors", SPONSOR, "contacts.role")
_deciders = present("deciders", DECISION_MAKER, "contacts.role")
_customers = present("customers", CUSTOMER, "contacts.side")
_vendors = present("vendors", VENDOR, "contacts.side")


def _change_of(kind: str) -> Span:
    """The least and the most that two answers of a kind can differ by."""
    width = SCORES[kind][1] - SCORES[kind][0]
    return -width, width


_feature = partial(Feature, family="engagement")
_engaged = partial(_feature, signal="engagement", unit="contacts", expected=-1)
_meeting = partial(_feature, signal="meetings", unit="meetings", expected=-1)
_taught = partial(_feature, signal="training and community", unit="contacts", expected=-1)
_ticket = partial(_feature, signal="support tickets", unit="tickets", expected=1)
_speed = partial(_feature, signal="support speed", unit="hours", expected=1)
_survey = partial(_feature, signal="surveys", unit="points", expected=-1)
_person = partial(_feature, signal="stakeholders", unit="people", expected=-1)
_left = partial(_feature, signal="stakeholders", unit="people", expected=1)

FEATURES: tuple[Feature, ...] = (
    *(
        _engaged(
            name=f"engagement_{days}d",
            value=count(ENGAGED, days),
            meaning=f"Contacts of any kind in the last {days} days",
            sentence=f"{{value}} contacts of any kind in the last {days} days",
        )
        for days in (28, 90)
    ),
    _engaged(
        name="engagement_ratio_90d",
        value=before_ratio(Measure(ENGAGED, "rows"), 90),
        unit="ratio",
        meaning="Contacts in the last 90 days over those of the 90 days before",
        sentence="{value} times the contacts of the 90 days before",
    ),
    _engaged(
        name="engaged_people_90d",
        value=distinct(ENGAGED, "contact_id", 90),
        unit="people",
        meaning="Distinct people of the customer in contact in the last 90 days",
        sentence="{value} of the customer's people in contact in the last 90 days",
    ),
    _meeting(
        name="meetings_90d",
        value=windowed_sum(MEETINGS, 90),
        meaning="Meetings in the last 90 days",
        sentence="{value} meetings in the last 90 days",
    ),
    _meeting(
        name="days_since_meeting",
        value=days_since(ENGAGED, YEAR, name="met", where=MEETING),
        unit="days",
        meaning="Days since the last meeting; missing if there was none in a year",
        sentence="the last meeting was {value} days ago",
        expected=1,
    ),
    _taught(
        name="trainings_180d",
        value=windowed_sum(TRAININGS, 180),
        unit="trainings",
        meaning="Trainings and webinars in the last 180 days",
        sentence="{value} trainings and webinars in the last 180 days",
    ),
    _taught(
        name="community_180d",
        value=windowed_sum(GATHERINGS, 180),
        meaning="Community, events, self-help and referrals in the last 180 days",
        sentence="{value} community, event, self-help and referral contacts in the last 180 days",
    ),
    _taught(
        name="referrals_365d",
        value=windowed_sum(REFERRALS, YEAR),
        unit="referrals",
        meaning="Referrals in the last 365 days",
        sentence="{value} referrals in the last year",
    ),
    *(
        _taught(
            name=name,
            value=windowed_sum(Measure(ENGAGED, f"only_{kind}", flag(one_of("kind", kind))), days),
            meaning=f"{words.capitalize()} in the last {days} days",
            sentence=f"{{value}} {words} in the last {days} days",
        )
        for name, days, kind, words in APART
    ),
    *(
        _ticket(
            name=f"tickets_{days}d",
            value=count(OPENED, days),
            meaning=f"Tickets opened in the last {days} days",
            sentence=f"{{value}} tickets opened in the last {days} days",
        )
        for days in (28, 90)
    ),
    _ticket(
        name="tickets_ratio_90d",
        value=before_ratio(Measure(OPENED, "rows"), 90),
        unit="ratio",
        meaning="Tickets opened in the last 90 days over those of the 90 days before",
        sentence="{value} times the tickets of the 90 days before",
    ),
    _ticket(
        name="severe_tickets_90d",
        value=needing(windowed_sum(SEVERE_OPENED, 90), "tickets.severity"),
        meaning="High or critical tickets opened in the last 90 days",
        sentence="{value} high or critical tickets in the last 90 days",
    ),
    _ticket(
        name="ticket_backlog",
        value=balance(OPENED, CLOSED, "open"),
        meaning="Tickets opened and not yet resolved",
        sentence="{value} tickets are open",
    ),
    _ticket(
        name="severe_ticket_backlog",
        value=needing(balance(OPENED, CLOSED, "severe_open", "severe"), "tickets.severity"),
        meaning="High or critical tickets opened and not yet resolved",
        sentence="{value} high or critical tickets are open",
    ),
    _speed(
        name="response_hours_90d",
        value=mean_hours(ANSWERED, 90),
        meaning="Mean hours to the first answer of the tickets answered in the last 90 days",
        sentence="support first answered after {value} hours",
    ),
    _speed(
        name="resolution_hours_180d",
        value=mean_hours(RESOLVED, 180),
        meaning="Mean hours to the solution of the tickets resolved in the last 180 days",
        sentence="support solved tickets after {value} hours",
    ),
    _survey(
        name="nps_last",
        value=_points(_answer("nps")),
        meaning="Newest NPS answer of the last year, 0 to 10",
        span=SCORES["nps"],
        sentence="the last NPS answer was {value}",
    ),
    _survey(
        name="nps_change",
        value=_points(value("({} - {})", _answer("nps"), _answer("nps", place=2))),
        meaning="Newest NPS answer less the one before, both of the last year",
        span=_change_of("nps"),
        sentence="the NPS answer changed by {value}",
    ),
    _survey(
        name="nps_decision_maker",
        value=_points(_answer("nps", stream=DECIDED)),
        meaning="Newest NPS answer of a decision-maker or sponsor in the last year",
        span=SCORES["nps"],
        sentence="the last NPS answer of a decision-maker was {value}",
    ),
    _survey(
        name="nps_detractors_180d",
        value=needing(windowed_sum(DETRACTED, 180), "surveys.kind"),
        unit="answers",
        meaning="NPS answers of 6 or less in the last 180 days",
        sentence="{value} NPS answers of 6 or less in the last 180 days",
        expected=1,
    ),
    *(
        _survey(
            name=f"{kind}_last",
            value=_points(_answer(kind)),
            meaning=f"Newest {kind.upper()} answer of the last year, {SCORES[kind][0]} to {SCORES[kind][1]}",
            sentence=f"the last {kind.upper()} answer was {{value}}",
            span=SCORES[kind],
        )
        for kind in ("csat", "ces")
    ),
    _survey(
        name="csat_change",
        value=_points(value("({} - {})", _answer("csat"), _answer("csat", place=2))),
        meaning="Newest CSAT answer less the one before, both of the last year",
        span=_change_of("csat"),
        sentence="the CSAT answer changed by {value}",
    ),
    _survey(
        name="days_since_survey",
        value=days_since(SURVEYED, YEAR),
        unit="days",
        meaning="Days since the newest survey answer of the last year",
        sentence="the last survey answer was {value} days ago",
        expected=1,
    ),
    _person(
        name="champions",
        value=_champions,
        meaning="Champions present",
        sentence="{value} champions present",
    ),
    _person(
        name="sponsors",
        value=_sponsors,
        meaning="Executive sponsors present",
        sentence="{value} executive sponsors present",
    ),
    _person(
        name="decision_makers",
        value=_deciders,
        meaning="Decision-makers present",
        sentence="{value} decision-makers present",
    ),
    *(
        _left(
            name=f"champions_left_{days}d",
            value=needing(windowed_sum(CHAMPIONS_LEFT, days), "contacts.role"),
            meaning=f"Champions who left in the last {days} days",
            sentence=f"{{value}} champions left in the last {days} days",
        )
        for days in (90, 180)
    ),
    _left(
        name="sponsors_left_180d",
        value=needing(windowed_sum(SPONSORS_LEFT, 180), "contacts.role"),
        meaning="Executive sponsors who left in the last 180 days",
        sentence="{value} executive sponsors left in the last 180 days",
    ),
    _left(
        name="people_left_180d",
        value=needing(windowed_sum(CUSTOMERS_LEFT, 180), "contacts.side"),
        meaning="The customer's people who left in the last 180 days",
        sentence="{value} of the customer's people left in the last 180 days",
    ),
    _person(
        name="customer_contacts",
        value=_customers,
        meaning="The customer's people present",
        sentence="{value} of the customer's people are known",
    ),
    _person(
        name="vendor_contacts",
        value=_vendors,
        meaning="Our own people on the account",
        sentence="{value} of our people look after it",
    ),
    _person(
        name="contact_redundancy",
        value=value(
            "({}) + ({})",
            _capped(distinct(ENGAGED, "contact_id", REDUNDANCY_DAYS)),
            _capped(distinct(ACTED, "csm", REDUNDANCY_DAYS)),
        ),
        meaning=f"The customer's people in contact and our people who acted in the last {REDUNDANCY_DAYS} days, at "
        f"most {REDUNDANCY_MOST} of either side",
        span=(0, 2 * REDUNDANCY_MOST),
        sentence="{value} people of the two sides are in touch, out of 6",
    ),
    _feature(
        name="last_call",
        value=newest(CALLS, "called", "called", YEAR),
        unit="-2 churn to 1 expand",
        meaning="A person's newest forecast of the last year: -2 churn, -1 contract, 0 renew, 1 expand",
        sentence="the team's own last call was {value} (-2 churn to 1 expand)",
        signal="the team's own call",
        expected=-1,
    ),
)
