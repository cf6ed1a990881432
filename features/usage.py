"""Usage: how much, how often, by how many, how broadly, and whether it grows or fades."""

from functools import partial

from features.asof import AsOf
from features.feature import Feature
from features.tiles import (
    Sum,
    code,
    column,
    distinct_counts,
    flag,
    ratio,
    running,
    window_sums,
)

EDGES = (28, 56, 90, 180)
TREND_DAYS = 90


def tiles(asof: AsOf) -> dict[str, str]:
    """Work tables: use by account, day and first snapshot that may see it."""
    if not asof.tables.has("usage"):
        return {}
    quantity = _quantity(asof)
    shown = [f"CAST(ROUND({quantity} * 100) AS BIGINT) AS quantity", f"{flag(f'{quantity} > 0')} AS active"]
    return {
        "usage_days": f"""
            SELECT account_id, day, kv, SUM(quantity) AS quantity, MAX(active) AS active
            FROM ({asof.events("usage", shown)}) e GROUP BY account_id, day, kv"""
    }


def columns(asof: AsOf) -> dict[str, str]:
    """Temp tables of per-snapshot columns, each as its SELECT; none where there is no usage."""
    if not asof.tables.has("usage"):
        return {}
    selects = {
        "usage_sums": _sums(asof),
        "usage_active_days": _active_days(asof),
        "usage_recency": running("SELECT * FROM usage_days WHERE active = 1", last_used=("MAX", "day")),
    }
    if asof.tables.has("usage", "user_id"):
        users = _active(asof, "user_id")
        selects["usage_users"] = distinct_counts(asof, users, "user_id", seen={"users_28": 28, "users_90": 90})
    if asof.tables.has("usage", "feature"):
        parts = _active(asof, f"{code('feature')} AS feature")
        seen = {"parts_28": 28, "parts_90": 90}
        selects["usage_parts"] = distinct_counts(asof, parts, "feature", seen=seen, new={"new_parts_90": 90})
    return selects


def _quantity(asof: AsOf) -> str:
    return f"COALESCE({column(asof, 'usage.quantity')}, 1)"


def _active(asof: AsOf, shown: str) -> str:
    """Rows that show activity: a day's sum of zero events is none."""
    return asof.events("usage", [shown], where=f"{_quantity(asof)} > 0")


def _sums(asof: AsOf) -> str:
    return window_sums(
        asof,
        "SELECT * FROM usage_days",
        Sum("used_28", "quantity", 28),
        Sum("used_before_28", "quantity", 28, 28),
        Sum("used_90", "quantity", 90),
        Sum("used_before_90", "quantity", 90, 90),
        Sum("used_180", "quantity", 180),
        Sum("used_day_90", "quantity * e.day", TREND_DAYS),
    )


def _active_days(asof: AsOf) -> str:
    """Each active day counts once, from the first snapshot that sees any of its use."""
    return window_sums(
        asof,
        "SELECT account_id, day, MIN(kv) AS kv FROM usage_days WHERE active = 1 GROUP BY account_id, day",
        Sum("days_28", "1", 28),
        Sum("days_before_28", "1", 28, 28),
        Sum("days_90", "1", 90),
    )


def _trend(used: str, used_day: str) -> str:
    """Least-squares slope of daily use over the window, as the change from its start to its end over its mean.

    With x = day - t from -W to -1, slope = (W Sxq - Sx Sq) / (W Sxx - Sx^2); integers until the one division.
    """
    w = TREND_DAYS
    sx, sxx = -w * (w + 1) // 2, w * (w + 1) * (2 * w + 1) // 6
    rise = f"({w * w}) * ({w} * ({used_day} - t * {used}) - ({sx}) * {used})"
    return ratio(rise, used, scale=str(w * sxx - sx * sx))


_feature = partial(Feature, family="usage")
_amount = partial(_feature, needs=("usage.used_on",), signal="amount of use", expected=-1)
_days = partial(_feature, needs=("usage.used_on",), signal="active days", expected=-1)
_users = partial(_feature, needs=("usage.user_id",), signal="active users", expected=-1)
_breadth = partial(_feature, needs=("usage.feature",), signal="breadth of use", expected=-1)
_trends = partial(_feature, needs=("usage.used_on",), signal="usage trend", expected=-1)
_seats = partial(_feature, needs=("usage.used_on", "contracts.seats"), signal="seats used", expected=-1)

FEATURES: tuple[Feature, ...] = (
    _amount(
        name="usage_28d",
        window_days=28,
        expression=f"{ratio('COALESCE(used_28, 0)', '100')}",
        unit="events",
        meaning="Amount of use in the last 28 days",
        sentence="{value} uses in the last 28 days",
    ),
    _amount(
        name="usage_90d",
        window_days=90,
        expression=f"{ratio('COALESCE(used_90, 0)', '100')}",
        unit="events",
        meaning="Amount of use in the last 90 days",
        sentence="{value} uses in the last 90 days",
    ),
    _days(
        name="active_days_28d",
        window_days=28,
        expression="COALESCE(days_28, 0)",
        unit="days",
        meaning="Days with any use in the last 28",
        sentence="used on {value} of the last 28 days",
    ),
    _days(
        name="active_days_90d",
        window_days=90,
        expression="COALESCE(days_90, 0)",
        unit="days",
        meaning="Days with any use in the last 90",
        sentence="used on {value} of the last 90 days",
    ),
    _days(
        name="active_days_ratio_28d",
        window_days=56,
        expression=ratio("COALESCE(days_28, 0)", "days_before_28"),
        unit="ratio",
        meaning="Active days of the last 28 days over those of the 28 days before",
        sentence="{value} times the active days of the 28 days before",
        signal="usage trend",
    ),
    _days(
        name="days_since_usage",
        expression="t - last_used",
        unit="days",
        meaning="Days since the last use known",
        sentence="last used {value} days ago",
        expected=1,
    ),
    _users(
        name="active_users_28d",
        window_days=28,
        expression="COALESCE(users_28, 0)",
        unit="users",
        meaning="Distinct users active in the last 28 days",
        sentence="{value} active users in the last 28 days",
    ),
    _users(
        name="active_users_90d",
        window_days=90,
        expression="COALESCE(users_90, 0)",
        unit="users",
        meaning="Distinct users active in the last 90 days",
        sentence="{value} active users in the last 90 days",
    ),
    _users(
        name="lapsed_users_28d",
        window_days=90,
        expression="COALESCE(users_90, 0) - COALESCE(users_28, 0)",
        unit="users",
        meaning="Users active in the last 90 days but not in the last 28",
        sentence="{value} users went quiet in the last 28 days",
        expected=1,
    ),
    _users(
        name="active_users_kept_share",
        window_days=90,
        expression=ratio("users_28", "users_90"),
        unit="share",
        meaning="Share of the users of the last 90 days who were active in the last 28",
        sentence="{value} of the users of the last 90 days are still active",
    ),
    _users(
        name="usage_per_user_28d",
        window_days=28,
        expression=ratio("used_28", "users_28", scale="100"),
        unit="events a user",
        meaning="Amount of use per active user in the last 28 days",
        sentence="{value} uses per active user in the last 28 days",
        signal="depth of use",
    ),
    _breadth(
        name="features_used_28d",
        window_days=28,
        expression="COALESCE(parts_28, 0)",
        unit="features",
        meaning="Distinct product features used in the last 28 days",
        sentence="{value} product features used in the last 28 days",
    ),
    _breadth(
        name="features_used_90d",
        window_days=90,
        expression="COALESCE(parts_90, 0)",
        unit="features",
        meaning="Distinct product features used in the last 90 days",
        sentence="{value} product features used in the last 90 days",
    ),
    _breadth(
        name="features_kept_share",
        window_days=90,
        expression=ratio("parts_28", "parts_90"),
        unit="share",
        meaning="Share of the features of the last 90 days that were used in the last 28 (sticky features)",
        sentence="{value} of the product features of the last 90 days are still in use",
    ),
    _breadth(
        name="new_features_90d",
        window_days=90,
        expression="COALESCE(new_parts_90, 0)",
        unit="features",
        meaning="Product features first used in the last 90 days",
        sentence="{value} product features newly adopted in the last 90 days",
    ),
    _trends(
        name="usage_ratio_28d",
        window_days=56,
        expression=ratio("COALESCE(used_28, 0)", "used_before_28"),
        unit="ratio",
        meaning="Use in the last 28 days over that of the 28 days before",
        sentence="{value} times the use of the 28 days before",
    ),
    _trends(
        name="usage_ratio_90d",
        window_days=180,
        expression=ratio("COALESCE(used_90, 0)", "used_before_90"),
        unit="ratio",
        meaning="Use in the last 90 days over that of the 90 days before",
        sentence="{value} times the use of the 90 days before",
    ),
    _trends(
        name="usage_vs_baseline_28d",
        window_days=180,
        expression=ratio("COALESCE(used_28, 0) * 180", "used_180", scale="28"),
        unit="ratio",
        meaning="Daily use in the last 28 days over the account's own average of 180 days",
        sentence="{value} times its own average use of half a year",
    ),
    _trends(
        name="usage_trend_90d",
        window_days=90,
        expression=_trend("used_90", "used_day_90"),
        unit="ratio",
        meaning="Change along the straight line through 90 days of daily use, over their mean",
        sentence="a usage trend of {value} times its mean over 90 days",
    ),
    _seats(
        name="seat_utilisation_28d",
        needs=("usage.user_id", "contracts.seats"),
        window_days=28,
        expression=ratio("COALESCE(users_28, 0)", "seats"),
        unit="share",
        meaning="Active users of the last 28 days over the seats paid for",
        sentence="{value} of the seats paid for were used in the last 28 days",
    ),
    _seats(
        name="usage_per_seat_28d",
        window_days=28,
        expression=ratio("COALESCE(used_28, 0)", "seats", scale="100"),
        unit="events a seat",
        meaning="Amount of use per seat paid for in the last 28 days",
        sentence="{value} uses per seat paid for in the last 28 days",
        signal="depth of use",
    ),
)
