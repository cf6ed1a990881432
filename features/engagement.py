"""Engagement: meetings and community, support tickets, surveys, the people on both sides, and their own forecasts."""

from functools import partial

from features.asof import AsOf
from features.feature import Feature
from features.tiles import (
    Sum,
    changes,
    code,
    column,
    distinct_counts,
    flag,
    later_of,
    newest,
    one_of,
    ratio,
    running,
    window_sums,
)

EDGES = (28, 90, 180, 365)
MEETING = one_of("kind", "meeting", "qbr", "call")
TRAINING = one_of("kind", "training", "webinar")
COMMUNITY = one_of("kind", "community", "event", "self_help", "referral")
SEVERE = one_of("severity", "3", "4", "high", "critical", "urgent")
DECIDES = one_of("respondent_role", "decision_maker", "executive_sponsor", "executive", "sponsor")
CHAMPION = one_of("role", "champion")
SPONSOR = one_of("role", "executive_sponsor", "sponsor")
CUSTOMER, VENDOR = "side <> 'vendor'", "side = 'vendor'"
CALLED = (("churn", -2), ("contract", -1), ("renew", 0), ("expand", 1))


def tiles(asof: AsOf) -> dict[str, str]:
    """Work tables: none."""
    del asof
    return {}


def columns(asof: AsOf) -> dict[str, str]:
    """Temp tables of per-snapshot columns, each as its SELECT; none for the tables that are absent."""
    return _contacts_made(asof) | _tickets(asof) | _surveys(asof) | _people(asof) | _calls(asof)


def _contacts_made(asof: AsOf) -> dict[str, str]:
    if not asof.tables.has("engagement"):
        return {}
    events = asof.events("engagement", ["kind"])
    meetings = asof.events("engagement", where=MEETING)
    selects = {
        "engagement_sums": window_sums(
            asof,
            events,
            Sum("engaged_28", "1", 28),
            Sum("engaged_90", "1", 90),
            Sum("engaged_before_90", "1", 90, 90),
            Sum("met_90", flag(MEETING), 90),
            Sum("trained_180", flag(TRAINING), 180),
            Sum("community_180", flag(COMMUNITY), 180),
        ),
        "engagement_recency": running(meetings, last_met=("MAX", "day")),
    }
    if asof.tables.has("engagement", "contact_id"):
        people = asof.events("engagement", ["contact_id"])
        selects["engagement_people"] = distinct_counts(asof, people, "contact_id", seen={"people_90": 90})
    return selects


def _tickets(asof: AsOf) -> dict[str, str]:
    if not asof.tables.has("tickets"):
        return {}
    severe = f"{flag(SEVERE.replace('severity', column(asof, 'tickets.severity')))} AS severe"
    opened = asof.events("tickets", [severe])
    counts = (Sum("opened_28", "1", 28), Sum("opened_90", "1", 90), Sum("severe_90", "severe", 90))
    selects = {"tickets_opened": window_sums(asof, opened, *counts)}
    if asof.tables.has("tickets", "first_response_at"):
        selects["tickets_answered"] = _seconds(asof, "first_response_at", "answered", 90)
    if asof.tables.has("tickets", "resolved_at"):
        selects["tickets_resolved"] = _seconds(asof, "resolved_at", "resolved", 180)
        closed = asof.events("tickets", day=later_of("opened_at", "resolved_at"), where="resolved_at IS NOT NULL")
        selects["tickets_backlog"] = running(changes(opened, closed), backlog=("SUM", "change"))
    return selects


def _seconds(asof: AsOf, until: str, name: str, window_days: int) -> str:
    """Number of tickets answered or resolved in the window, and the seconds it took: only of those that were."""
    seconds = f"CAST(EXTRACT(EPOCH FROM ({until} - opened_at)) AS BIGINT) AS seconds"
    events = asof.events("tickets", [seconds], day=until, where=f"{until} >= opened_at")
    return window_sums(
        asof,
        events,
        Sum(f"{name}_{window_days}", "1", window_days),
        Sum(f"{name}_seconds_{window_days}", "seconds", window_days),
    )


def _surveys(asof: AsOf) -> dict[str, str]:
    if not asof.tables.has("surveys"):
        return {}
    kind = f"{code(column(asof, 'surveys.kind'))} AS kind"
    shown = [kind, "CAST(ROUND(score * 100) AS BIGINT) AS score"]
    answers = newest(asof, asof.events("surveys", shown), "score", per="kind", window_days=365)
    selects = {
        "surveys_last": f"""
            SELECT account_id, k, MIN(reach) AS since_survey, {_answer("nps", 1)}, {_answer("nps", 2)},
                   {_answer("csat", 1)}, {_answer("ces", 1)}
            FROM ({answers}) a WHERE newest <= 2 GROUP BY account_id, k"""
    }
    if asof.tables.has("surveys", "respondent_role"):
        decided = asof.events("surveys", shown, where=DECIDES)
        answers = newest(asof, decided, "score", per="kind", window_days=365)
        selects["surveys_decided"] = f"""
            SELECT account_id, k, value AS decided_nps FROM ({answers}) a WHERE newest = 1 AND per = 'nps'"""
    return selects


def _answer(kind: str, place: int) -> str:
    return f"MAX(CASE WHEN per = '{kind}' AND newest = {place} THEN value END) AS {kind}_{place}"


def _people(asof: AsOf) -> dict[str, str]:
    selects = {}
    if asof.tables.has("contacts", "left_on"):
        role = [f"{column(asof, 'contacts.role')} AS role"]
        selects["people_left"] = window_sums(
            asof,
            asof.events("contacts", role, day="left_on"),
            Sum("champions_left_90", flag(CHAMPION), 90),
            Sum("champions_left_180", flag(CHAMPION), 180),
            Sum("sponsors_left_180", flag(SPONSOR), 180),
        )
    if asof.tables.has("contacts", "joined_on"):
        selects["people_present"] = _people_present(asof)
    return selects


def _people_present(asof: AsOf) -> str:
    role, side = column(asof, "contacts.role"), column(asof, "contacts.side")
    shown = [f"{role} AS role", f"COALESCE({code(side)}, 'customer') AS side"]
    sources = [f"SELECT j.*, 1 AS change FROM ({asof.events('contacts', shown)}) j"]
    if asof.tables.has("contacts", "left_on"):
        left = asof.events("contacts", shown, day=later_of("joined_on", "left_on"), where="left_on IS NOT NULL")
        sources.append(f"SELECT l.*, -1 AS change FROM ({left}) l")
    return running(
        " UNION ALL ".join(sources),
        champions=("SUM", f"change * {flag(CHAMPION)}"),
        sponsors=("SUM", f"change * {flag(SPONSOR)}"),
        customer_people=("SUM", f"change * {flag(CUSTOMER)}"),
        vendor_people=("SUM", f"change * {flag(VENDOR)}"),
    )


def _calls(asof: AsOf) -> dict[str, str]:
    if not asof.tables.has("calls", "outcome"):
        return {}
    cases = " ".join(f"WHEN '{outcome}' THEN {number}" for outcome, number in CALLED)
    events = asof.events("calls", [f"CASE {code('outcome')} {cases} END AS called"], where="outcome IS NOT NULL")
    ranked = newest(asof, events, "called", window_days=365)
    return {"calls_last": f"SELECT account_id, k, value AS called FROM ({ranked}) a WHERE newest = 1"}


def _capped(people: str) -> str:
    return f"CASE WHEN {people} > 3 THEN 3 ELSE COALESCE({people}, 0) END"


_feature = partial(Feature, family="engagement")
_engaged = partial(_feature, needs=("engagement.kind",), signal="engagement", unit="contacts", expected=-1)
_ticket = partial(_feature, needs=("tickets.opened_at",), signal="support tickets", unit="tickets", expected=1)
_speed = partial(_feature, signal="support speed", unit="hours", expected=1)
_survey = partial(_feature, needs=("surveys.kind",), signal="surveys", unit="points", window_days=365, expected=-1)
_person = partial(_feature, needs=("contacts.role", "contacts.joined_on"), signal="stakeholders", unit="people")
_left = partial(_feature, needs=("contacts.role", "contacts.left_on"), signal="stakeholders", unit="people")
_sides = partial(_feature, needs=("contacts.side", "contacts.joined_on"), signal="contact redundancy", expected=-1)

FEATURES: tuple[Feature, ...] = (
    _engaged(
        name="engagement_28d",
        window_days=28,
        expression="COALESCE(engaged_28, 0)",
        meaning="Contacts of any kind in the last 28 days",
        sentence="{value} contacts of any kind in the last 28 days",
    ),
    _engaged(
        name="engagement_90d",
        window_days=90,
        expression="COALESCE(engaged_90, 0)",
        meaning="Contacts of any kind in the last 90 days",
        sentence="{value} contacts of any kind in the last 90 days",
    ),
    _engaged(
        name="engagement_ratio_90d",
        window_days=180,
        expression=ratio("COALESCE(engaged_90, 0)", "engaged_before_90"),
        unit="ratio",
        meaning="Contacts in the last 90 days over those of the 90 days before",
        sentence="{value} times the contacts of the 90 days before",
    ),
    _engaged(
        name="meetings_90d",
        window_days=90,
        expression="COALESCE(met_90, 0)",
        unit="meetings",
        meaning="Meetings in the last 90 days",
        sentence="{value} meetings in the last 90 days",
        signal="meetings",
    ),
    _engaged(
        name="days_since_meeting",
        expression="t - last_met",
        unit="days",
        meaning="Days since the last meeting",
        sentence="the last meeting was {value} days ago",
        signal="meetings",
        expected=1,
    ),
    _engaged(
        name="trainings_180d",
        window_days=180,
        expression="COALESCE(trained_180, 0)",
        unit="trainings",
        meaning="Trainings and webinars in the last 180 days",
        sentence="{value} trainings and webinars in the last 180 days",
        signal="training and community",
    ),
    _engaged(
        name="community_180d",
        window_days=180,
        expression="COALESCE(community_180, 0)",
        meaning="Community, events, self-help and referrals in the last 180 days",
        sentence="{value} community, event, self-help and referral contacts in the last 180 days",
        signal="training and community",
    ),
    _engaged(
        name="engaged_people_90d",
        needs=("engagement.contact_id",),
        window_days=90,
        expression="COALESCE(people_90, 0)",
        unit="people",
        meaning="Distinct people of the customer in contact in the last 90 days",
        sentence="{value} of the customer's people in contact in the last 90 days",
    ),
    _ticket(
        name="tickets_28d",
        window_days=28,
        expression="COALESCE(opened_28, 0)",
        meaning="Tickets opened in the last 28 days",
        sentence="{value} tickets opened in the last 28 days",
    ),
    _ticket(
        name="tickets_90d",
        window_days=90,
        expression="COALESCE(opened_90, 0)",
        meaning="Tickets opened in the last 90 days",
        sentence="{value} tickets opened in the last 90 days",
    ),
    _ticket(
        name="severe_tickets_90d",
        needs=("tickets.severity",),
        window_days=90,
        expression="COALESCE(severe_90, 0)",
        meaning="High or critical tickets opened in the last 90 days",
        sentence="{value} high or critical tickets in the last 90 days",
    ),
    _ticket(
        name="ticket_backlog",
        needs=("tickets.resolved_at",),
        expression="COALESCE(backlog, 0)",
        meaning="Tickets opened and not yet resolved",
        sentence="{value} tickets are open",
    ),
    _speed(
        name="response_hours_90d",
        needs=("tickets.first_response_at",),
        window_days=90,
        expression=ratio("answered_seconds_90", "answered_90", scale="3600"),
        meaning="Mean hours to the first answer of the tickets answered in the last 90 days",
        sentence="support first answered after {value} hours",
    ),
    _speed(
        name="resolution_hours_180d",
        needs=("tickets.resolved_at",),
        window_days=180,
        expression=ratio("resolved_seconds_180", "resolved_180", scale="3600"),
        meaning="Mean hours to the solution of the tickets resolved in the last 180 days",
        sentence="support solved tickets after {value} hours",
    ),
    _survey(
        name="nps_last",
        expression=ratio("nps_1", "100"),
        meaning="Newest NPS answer of the last year, 0 to 10",
        sentence="the last NPS answer was {value}",
    ),
    _survey(
        name="nps_change",
        expression=ratio("(nps_1 - nps_2)", "100"),
        meaning="Newest NPS answer less the one before, both of the last year",
        sentence="the NPS answer changed by {value}",
    ),
    _survey(
        name="nps_decision_maker",
        needs=("surveys.kind", "surveys.respondent_role"),
        expression=ratio("decided_nps", "100"),
        meaning="Newest NPS answer of a decision-maker or sponsor in the last year",
        sentence="the last NPS answer of a decision-maker was {value}",
    ),
    _survey(
        name="csat_last",
        expression=ratio("csat_1", "100"),
        meaning="Newest CSAT answer of the last year, 1 to 5",
        sentence="the last CSAT answer was {value}",
    ),
    _survey(
        name="ces_last",
        expression=ratio("ces_1", "100"),
        meaning="Newest CES answer of the last year, 1 to 7",
        sentence="the last CES answer was {value}",
    ),
    _survey(
        name="days_since_survey",
        needs=("surveys.score",),
        expression="since_survey",
        unit="days",
        meaning="Days since the newest survey answer of the last year",
        sentence="the last survey answer was {value} days ago",
        expected=1,
    ),
    _person(
        name="champions",
        expression="COALESCE(champions, 0)",
        meaning="Champions present",
        sentence="{value} champions present",
        expected=-1,
    ),
    _person(
        name="sponsors",
        expression="COALESCE(sponsors, 0)",
        meaning="Executive sponsors present",
        sentence="{value} executive sponsors present",
        expected=-1,
    ),
    _left(
        name="champions_left_90d",
        window_days=90,
        expression="COALESCE(champions_left_90, 0)",
        meaning="Champions who left in the last 90 days",
        sentence="{value} champions left in the last 90 days",
        expected=1,
    ),
    _left(
        name="champions_left_180d",
        window_days=180,
        expression="COALESCE(champions_left_180, 0)",
        meaning="Champions who left in the last 180 days",
        sentence="{value} champions left in the last 180 days",
        expected=1,
    ),
    _left(
        name="sponsors_left_180d",
        window_days=180,
        expression="COALESCE(sponsors_left_180, 0)",
        meaning="Executive sponsors who left in the last 180 days",
        sentence="{value} executive sponsors left in the last 180 days",
        expected=1,
    ),
    _sides(
        name="customer_contacts",
        expression="COALESCE(customer_people, 0)",
        unit="people",
        meaning="The customer's people present",
        sentence="{value} of the customer's people are known",
    ),
    _sides(
        name="contact_redundancy",
        expression=f"({_capped('customer_people')}) * ({_capped('vendor_people')})",
        unit="pairs",
        meaning="Pairs of people across the two sides, at most 3 x 3",
        sentence="{value} pairs of people connect the two sides, out of 9",
    ),
    _feature(
        name="last_call",
        needs=("calls.outcome",),
        window_days=365,
        expression="called",
        unit="-2 churn to 1 expand",
        meaning="A person's newest forecast of the last year: -2 churn, -1 contract, 0 renew, 1 expand",
        sentence="the team's own last call was {value} (-2 churn to 1 expand)",
        signal="the team's own call",
        expected=-1,
    ),
)
