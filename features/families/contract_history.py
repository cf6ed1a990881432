"""Contract history: tenure, term and time to renewal, past changes, price, and what the account is.

A line that starts on the day of the snapshot is in force at it, so changes count from after `t - 365` up to `t`:
they explain the step from the ARR 365 days ago to the ARR now.
"""

import math
from functools import partial

from features.families.feature import ANY, Feature
from features.families.kinds import Value, level, of_lines, of_steps, rank_among_peers, ratio, spine_column, value
from features.tables.sql import flag

HONEYMOON_DAYS = 90
CLIFF_DAYS = 120
YEAR = 365
GROWS = "COALESCE(kind, '') IN ('upsell', 'cross_sell')"
REPRICES = "COALESCE(kind, '') = 'price_change'"
CONTINUES = "continues = 1"
RISES = f"({CONTINUES} AND mrr_micros > before_mrr_micros)"
FALLS = f"({CONTINUES} AND mrr_micros < before_mrr_micros)"
RECENT = f"starts > t - {YEAR}"

ARR = spine_column("arr_cents")
SEATS = spine_column("seats", "contracts.seats")
TENURE = value("t - customer_from")


def _active(name: str, amount: str, condition: str = "TRUE", *needs: str) -> Value:
    """A number added up over the active lines that fulfil a condition."""
    return of_lines(name, f"SUM(CASE WHEN active = 1 AND {condition} THEN {amount} ELSE 0 END)", *needs)


def _before(name: str, amount: str, days: int, *needs: str) -> Value:
    """A number added up over the lines that were active so many days ago, by what is known now."""
    then = f"starts <= t - {days} AND t - {days} < active_until"
    return of_lines(f"{name}_{days}", f"SUM(CASE WHEN {then} THEN {amount} ELSE 0 END)", *needs, window_days=days)


def _changed(now: Value, days: int, name: str, amount: str, *needs: str) -> Value:
    """Change over so many days, as a share of what was there before."""
    before = _before(name, amount, days, *needs)
    return ratio(value("({} - {})", now, before), before)


def _happened(name: str, condition: str, *needs: str, window_days: int | None = None) -> Value:
    """Lines so far whose start was a change of a kind."""
    return of_steps(name, f"SUM({flag(condition)})", *needs, window_days=window_days)


def _since(name: str, condition: str) -> Value:
    """Days since the newest line whose start was a change of a kind."""
    newest = of_steps(name, f"MAX(CASE WHEN {condition} THEN starts END)", "contracts.kind")
    return value(f"t - NULLIF({newest}, 0)", newest)


_list_cents = _active("list", "list_arr_cents", "list_arr_cents > 0", "contracts.list_mrr")
_priced_cents = _active("priced", "arr_cents", "list_arr_cents > 0", "contracts.list_mrr")
_renewals = _happened("renewals", "kind = 'renewal'", "contracts.kind")

TENURE_PHASES = ("honeymoon", "first renewal cliff", "reality trough", "established")
_PHASE = f"""
    CASE WHEN t - customer_from < {HONEYMOON_DAYS} THEN 'honeymoon'
         WHEN {{}} = 0 AND term_ends - t <= {CLIFF_DAYS} THEN 'first renewal cliff'
         WHEN t - customer_from < {YEAR} THEN 'reality trough'
         ELSE 'established' END"""

_feature = partial(Feature, family="contract_history")
_tenure = partial(_feature, signal="tenure")
_renewal = partial(_feature, signal="renewal")
_CHANGE = (-1, math.inf)  # all of it lost, or any growth
_changes = partial(_feature, signal="past changes", unit="changes")
_price = partial(_feature, signal="price")
_size = partial(_feature, signal="size")


def _attribute(name: str, meaning: str, sentence: str) -> Feature:
    return _feature(
        name=name,
        value=spine_column(f"attribute_{name}", f"accounts.{name}"),
        unit="text",
        meaning=meaning,
        sentence=sentence,
        signal=name.replace("_", " "),
        kind="category",
    )


def _fit(name: str, words: str) -> Feature:
    return _feature(
        name=name,
        value=spine_column(f"attribute_{name}", f"accounts.{name}"),
        unit="0 to 1",
        meaning=f"How well the account fits, {words}",
        sentence=f"{words} scored {{value}} of 1",
        signal="fit",
        expected=-1,
    )


FEATURES: tuple[Feature, ...] = (
    _tenure(
        name="tenure_days",
        value=TENURE,
        unit="days",
        meaning="Days since the account became a customer",
        sentence="a customer for {value} days",
        expected=-1,
    ),
    _tenure(
        name="tenure_phase",
        value=value(_PHASE, _renewals),
        unit="text",
        meaning=f"Phase of the customer's life: honeymoon (first {HONEYMOON_DAYS} days), first renewal cliff (not yet "
        f"renewed and at most {CLIFF_DAYS} days to the term's end), reality trough (first {YEAR} days), established",
        sentence="in the phase: {value}",
        kind="category",
    ),
    _tenure(
        name="renewals_to_date",
        value=_renewals,
        unit="renewals",
        meaning="Renewals so far",
        sentence="renewed {value} times so far",
        expected=-1,
    ),
    _renewal(
        name="term_days",
        value=spine_column("term_days"),
        unit="days",
        meaning="Scheduled length of the term that ends first, from its first line on; missing if evergreen",
        sentence="on a term of {value} days",
    ),
    _renewal(
        name="days_to_term_end",
        value=spine_column("term_ends - t"),
        unit="days",
        meaning="Days to the first known term end, below 0 if overdue; missing if evergreen",
        span=ANY,
        sentence="the term ends in {value} days",
    ),
    _renewal(
        name="due_share",
        value=spine_column("CAST(due_cents AS DOUBLE) / arr_cents"),
        unit="share",
        meaning="Share of ARR on the lines that end first",
        sentence="{value} of ARR is due at the next term end",
    ),
    _renewal(
        name="overdue_days",
        value=spine_column("overdue_days"),
        unit="days",
        meaning="Days since a term ran out in silence; 0 if none did",
        sentence="the renewal is {value} days overdue",
        expected=1,
    ),
    _renewal(
        name="late_renewals",
        value=_happened("late_renewals", f"{CONTINUES} AND before_ends < starts", "contracts.kind"),
        unit="renewals",
        meaning="Lines so far that continued one of the same product after its term had run out",
        sentence="renewed late {value} times so far",
        expected=1,
    ),
    _renewal(
        name="notice_given",
        value=spine_column("notice_given", "contracts.notice_on"),
        unit="0/1",
        meaning="Whether notice of leaving was given on an active line",
        sentence="notice given: {value}",
        expected=1,
    ),
    _renewal(
        name="notice_share",
        value=spine_column("CAST(notice_cents AS DOUBLE) / arr_cents", "contracts.notice_on"),
        unit="share",
        meaning="Share of ARR under notice: its lines end with their term",
        sentence="{value} of ARR is under notice",
        expected=1,
    ),
    _renewal(
        name="presigned",
        value=spine_column("presigned"),
        unit="0/1",
        meaning="Whether a line to come that follows or outlasts the first term end is already signed",
        sentence="renewal already signed: {value}",
        expected=-1,
    ),
    _renewal(
        name="evergreen_share",
        value=ratio(_active("evergreen", "arr_cents", "term_ends IS NULL"), ARR),
        unit="share",
        meaning="Share of ARR without a known end",
        sentence="{value} of ARR has no end date",
    ),
    _renewal(
        name="auto_renew_share",
        value=ratio(_active("auto_renew", "arr_cents", "auto_renew", "contracts.auto_renew"), ARR),
        unit="share",
        meaning="Share of ARR that renews unless notice is given",
        sentence="{value} of ARR renews by itself",
        expected=-1,
    ),
    _renewal(
        name="due_soon_share",
        value=ratio(_active("due_90", "arr_cents", "term_ends <= t + 90"), ARR),
        unit="share",
        meaning="Share of ARR whose term ends within 90 days, the 90th included, or is overdue",
        sentence="{value} of ARR comes up for renewal within 90 days",
    ),
    _changes(
        name="expansions_365d",
        value=_happened(
            "expansions", f"{RECENT} AND ({GROWS} OR ({RISES} AND NOT {REPRICES}))", "contracts.kind", window_days=YEAR
        ),
        meaning="Upsells, cross-sells and renewals at more in the last 365 days",
        sentence="{value} expansions in the last year",
        expected=-1,
    ),
    _changes(
        name="contractions_365d",
        value=_happened(
            "contractions",
            f"{RECENT} AND (kind = 'downsell' OR ({FALLS} AND NOT {GROWS}))",
            "contracts.kind",
            window_days=YEAR,
        ),
        meaning="Downsells and renewals at less in the last 365 days",
        sentence="{value} contractions in the last year",
        expected=1,
    ),
    _changes(
        name="days_since_expansion",
        value=_since("last_expansion", f"{GROWS} OR ({RISES} AND NOT {REPRICES})"),
        unit="days",
        meaning="Days since the last upsell, cross-sell or renewal at more; missing if there was none",
        sentence="the last expansion was {value} days ago",
    ),
    *(
        _changes(
            name=f"arr_change_{days}d",
            value=_changed(ARR, days, "arr", "arr_cents"),
            unit="share",
            meaning=f"Change of ARR over {days} days, at constant rates; missing if it had none then",
            span=_CHANGE,
            sentence=f"ARR changed by {{value}} in {words}",
            expected=-1,
        )
        for days, words in ((180, "half a year"), (365, "a year"))
    ),
    _changes(
        name="arr_vs_level_365d",
        value=ratio(ARR, level(YEAR)),
        unit="ratio",
        meaning="ARR over its mean of the last 365 days, or of those since the first line, each amount weighted by the "
        "days it was in force",
        sentence="ARR is {value} times its mean of the last year",
        expected=-1,
    ),
    _changes(
        name="seats_change_180d",
        value=_changed(SEATS, 180, "seats", "seats", "contracts.seats"),
        unit="share",
        meaning="Change of the seats paid for over 180 days; missing if there were none then",
        span=_CHANGE,
        sentence="seats changed by {value} in half a year",
        expected=-1,
    ),
    _price(
        name="price_rises_365d",
        value=_happened("price_rises", f"{RECENT} AND {RISES} AND {REPRICES}", "contracts.kind", window_days=YEAR),
        unit="changes",
        meaning="Price rises in the last 365 days",
        sentence="{value} price rises in the last year",
        expected=1,
    ),
    _price(
        name="days_since_price_rise",
        value=_since("last_price_rise", f"{RISES} AND {REPRICES}"),
        unit="days",
        meaning="Days since the last price rise; missing if there was none",
        sentence="the last price rise was {value} days ago",
    ),
    _price(
        name="discount",
        value=value("1 - {}", ratio(_priced_cents, _list_cents)),
        unit="share",
        meaning="Discount from the list price, over the lines that have one",
        span=(-math.inf, 1),
        sentence="a discount of {value} from list price",
    ),
    _price(
        name="arr_per_seat",
        value=ratio(ARR, SEATS, scale=100),
        unit="money a year",
        meaning="ARR per seat paid for",
        sentence="{value} a seat and year",
    ),
    _size(
        name="arr",
        value=spine_column("CAST(arr_cents AS DOUBLE) / 100"),
        unit="money a year",
        meaning="ARR in the reporting currency",
        sentence="an ARR of {value}",
        expected=-1,
    ),
    _size(
        name="arr_peer_rank",
        value=rank_among_peers(spine_column("CAST(arr_cents AS DOUBLE) / 100")),
        unit="share",
        meaning="Share of the other accounts of the segment with less ARR",
        sentence="has more ARR than {value} of the other accounts of its segment",
    ),
    _size(
        name="lines",
        value=_active("count", "1", "arr_cents > 0"),
        unit="lines",
        meaning="Active contract lines",
        sentence="{value} contract lines",
        expected=-1,
    ),
    _size(
        name="products",
        value=of_lines("products", "COUNT(DISTINCT CASE WHEN active = 1 THEN product END)", "contracts.product"),
        unit="products",
        meaning="Distinct products in force",
        sentence="{value} products",
        expected=-1,
    ),
    _size(
        name="seats",
        value=SEATS,
        unit="seats",
        meaning="Seats paid for",
        sentence="{value} seats",
        expected=-1,
    ),
    _size(
        name="potential_used_share",
        value=ratio(SEATS, spine_column("attribute_potential_seats", "accounts.potential_seats")),
        unit="ratio",
        meaning="Seats paid for over those that the account could use",
        sentence="{value} of the seats that it could use are sold",
    ),
    _attribute("segment", "Size or market segment", "segment {value}"),
    _attribute("industry", "Industry", "industry {value}"),
    _attribute("region", "Region", "region {value}"),
    _attribute("touch_model", "How the account is served", "served with {value} touch"),
    _attribute("use_case", "What it uses the product for", "uses it for {value}"),
    _attribute("fit", "How well the account fits the product", "a {value} fit"),
    _fit("technical_fit", "technical fit"),
    _fit("functional_fit", "functional fit"),
    _fit("experience_fit", "experience fit"),
    _fit("support_fit", "support fit"),
    _fit("buy_in_fit", "internal buy-in"),
)
