"""Usage: how much, how often, by how many, how broadly, and whether it grows or fades."""

import math
from dataclasses import replace
from functools import partial

from features.families.feature import ANY, Feature
from features.families.kinds import (
    active_days,
    adopted,
    amount,
    baseline_ratio,
    before_ratio,
    beside_the_largest,
    days_of_each,
    days_since,
    distinct,
    distinct_many,
    often,
    once_aged,
    rank_among_peers,
    ratio,
    spine_column,
    trend,
    value,
    volatility,
    windowed_sum,
)
from features.families.parts import Measure, Stream

OFTEN_DAYS = 8  # of 28: two days a week

# A day's sum of zero events shows no activity.
USE = Stream(
    "usage",
    "usage",
    needs=("usage.used_on",),
    columns=("CAST(ROUND(quantity * 100) AS BIGINT) AS quantity", "feature", "user_id"),
    active="quantity > 0",
    few="feature",
)
USED = Measure(USE, "used", "quantity", scale=100)
USED_OF_EACH = Measure(replace(USE, name="use_of_each"), "used", "quantity", scale=100)  # slices of its own, few
SEATS = spine_column("seats", "contracts.seats")

_feature = partial(Feature, family="usage")
_amount = partial(_feature, signal="amount of use", unit="events", expected=-1)
_days = partial(_feature, signal="active days", unit="days", expected=-1)
_users = partial(_feature, signal="active users", unit="users", expected=-1)
_breadth = partial(_feature, signal="breadth of use", unit="features", expected=-1)
_depth = partial(_feature, signal="depth of use", expected=-1)
_trend = partial(_feature, signal="usage trend", unit="ratio", expected=-1)
_seats = partial(_feature, signal="seats used", unit="share", expected=-1)


FEATURES: tuple[Feature, ...] = (
    *(
        _amount(
            name=f"usage_{days}d",
            value=amount(USED, days),
            meaning=f"Amount of use in the last {days} days",
            sentence=f"{{value}} uses in the last {days} days",
        )
        for days in (7, 28, 90)
    ),
    *(
        _days(
            name=f"active_days_{days}d",
            value=active_days(USE, days),
            meaning=f"Days with any use in the last {days}",
            sentence=f"used on {{value}} of the last {days} days",
        )
        for days in (7, 28, 90)
    ),
    _days(
        name="active_days_ratio_28d",
        value=once_aged(56, ratio(active_days(USE, 28), active_days(USE, 28, ago=28))),
        unit="ratio",
        meaning="Active days of the last 28 days over those of the 28 days before",
        sentence="{value} times the active days of the 28 days before",
        signal="usage trend",
    ),
    _days(
        name="days_since_usage",
        value=days_since(USE, 180),
        meaning="Days since the last use known; missing if there was none in 180 days",
        sentence="last used {value} days ago",
        expected=1,
    ),
    *(
        _users(
            name=f"active_users_{days}d",
            value=distinct_many(USE, "user_id", days),
            meaning=f"Distinct users active in the last {days} days",
            sentence=f"{{value}} active users in the last {days} days",
        )
        for days in (28, 90)
    ),
    _users(
        name="lapsed_users_28d",
        value=value("{} - {}", distinct_many(USE, "user_id", 90), distinct_many(USE, "user_id", 28)),
        meaning="Users active in the last 90 days but not in the last 28",
        sentence="{value} users went quiet in the last 28 days",
        expected=1,
    ),
    _users(
        name="active_users_kept_share",
        value=ratio(distinct_many(USE, "user_id", 28), distinct_many(USE, "user_id", 90)),
        unit="share",
        meaning="Share of the users of the last 90 days who were active in the last 28",
        sentence="{value} of the users of the last 90 days are still active",
    ),
    _users(
        name="power_users_28d",
        value=often(USE, "user_id", 28, on_days=OFTEN_DAYS),
        meaning=f"Power users: active on at least {OFTEN_DAYS} of the last 28 days",
        sentence="{value} power users in the last 28 days",
        signal="power users",
    ),
    _users(
        name="power_user_share_28d",
        value=ratio(often(USE, "user_id", 28, on_days=OFTEN_DAYS), distinct_many(USE, "user_id", 28)),
        unit="share",
        meaning="Power users over all active users of the last 28 days",
        sentence="{value} of the active users are power users",
        signal="power users",
    ),
    _users(
        name="days_per_user_28d",
        value=ratio(days_of_each(USE, "user_id", 28), distinct_many(USE, "user_id", 28)),
        unit="days",
        meaning="Mean active days of an active user in the last 28 days",
        sentence="an active user came on {value} of the last 28 days",
        signal="power users",
    ),
    _depth(
        name="usage_per_user_28d",
        value=ratio(windowed_sum(USED, 28), distinct_many(USE, "user_id", 28), scale=100),
        unit="events a user",
        meaning="Amount of use per active user in the last 28 days",
        sentence="{value} uses per active user in the last 28 days",
    ),
    _depth(
        name="usage_per_seat_28d",
        value=ratio(windowed_sum(USED, 28), SEATS, scale=100),
        unit="events a seat",
        meaning="Amount of use per seat paid for in the last 28 days",
        sentence="{value} uses per seat paid for in the last 28 days",
    ),
    _depth(
        name="usage_peer_rank_28d",
        value=rank_among_peers(amount(USED, 28)),
        unit="share",
        meaning="Share of the other accounts of the segment that used less in the last 28 days",
        sentence="uses more than {value} of the other accounts of its segment",
    ),
    *(
        _breadth(
            name=f"features_used_{days}d",
            value=distinct(USE, "feature", days),
            meaning=f"Distinct product features used in the last {days} days",
            sentence=f"{{value}} product features used in the last {days} days",
        )
        for days in (28, 90)
    ),
    _breadth(
        name="features_kept_share",
        value=ratio(distinct(USE, "feature", 28), distinct(USE, "feature", 90)),
        unit="share",
        meaning="Share of the features of the last 90 days that were used in the last 28 (sticky features)",
        sentence="{value} of the product features of the last 90 days are still in use",
    ),
    _breadth(
        name="other_features_share_180d",
        value=beside_the_largest(USED_OF_EACH, "feature", 180),
        unit="share",
        meaning="Share of the use of the last 180 days outside the account's own most used product feature",
        sentence="{value} of the use of half a year was outside the main product feature",
    ),
    _breadth(
        name="new_features_90d",
        value=adopted(USE, "feature", 90, before=90),
        meaning="Product features used in the last 90 days but not in the 90 days before (newly adopted)",
        sentence="{value} product features newly adopted in the last 90 days",
    ),
    *(
        _trend(
            name=f"usage_ratio_{days}d",
            value=before_ratio(USED, days),
            meaning=f"Use in the last {days} days over that of the {days} days before",
            sentence=f"{{value}} times the use of the {days} days before",
        )
        for days in (28, 90)
    ),
    _trend(
        name="usage_vs_baseline_28d",
        value=baseline_ratio(USED, 28, 180),
        meaning="Daily use in the last 28 days over the account's own average of 180 days",
        sentence="{value} times its own average use of half a year",
    ),
    *(
        _trend(
            name=f"usage_trend_{days}d",
            value=trend(USED, days),
            meaning=f"Change along the straight line through {days} days of daily use, over their mean",
            span=ANY,
            sentence=f"a usage trend of {{value}} times its mean over {days} days",
        )
        for days in (28, 90)
    ),
    _trend(
        name="usage_volatility_28d",
        value=volatility(USED, 4),
        meaning="Standard deviation of the last four weeks' use over their mean",
        sentence="weekly use varies by {value} times its mean",
        expected=1,
    ),
    *(
        _seats(
            name=f"seat_utilisation_{days}d",
            value=ratio(distinct_many(USE, "user_id", days), SEATS),
            meaning=f"Active users of the last {days} days over the seats paid for",
            span=(0, math.inf),
            sentence=f"{{value}} of the seats paid for were used in the last {days} days",
        )
        for days in (28, 90)
    ),
    _seats(
        name="seat_utilisation_peer_rank_28d",
        value=rank_among_peers(ratio(distinct_many(USE, "user_id", 28), SEATS)),
        meaning="Share of the other accounts of the segment that use less of their seats in the last 28 days",
        sentence="uses more of its seats than {value} of the other accounts of its segment",
    ),
)
