"""Which accounts a list is asked for, and the same as conditions in SQL."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.forecast.declared.column import names_of
from serving.forecast.declared.published_lists import LABELS
from serving.publication.file_tables import ACCOUNT_COLUMNS, HORIZON_COLUMNS

AMONG = {**{name: f"a.{name}" for name in ACCOUNT_COLUMNS}, **{name: f"h.{name}" for name in HORIZON_COLUMNS}}
_ATTENTION = "a.above_peers > 0 AND (a.renews_on < ? OR a.trend >= ?)"
RISE = 0.005  # of a probability: a smaller change since the snapshot before is not called a rise
LABEL = "EXISTS (SELECT 1 FROM json_each({}) AS label WHERE label.key = ? AND label.value = ?)"
CUTS = {name: AMONG[name] for name in names_of(LABELS)}  # the cuts with a column of their own


@dataclass(frozen=True)
class AccountFilter:
    """Which accounts, in which order, which page.

    `cuts` are labels that must be as given. `attention_until` asks for those that lie above their peers' risk and
    renew before that day, or are overdue, or whose risk rose; `least_growth` for those with at least that chance of
    expansion of which something speaks for it. `least_churn` asks for those with at least that churn probability, and
    for those of `or_among` whatever theirs.
    """

    horizon_months: int
    csm: str | None = None
    cuts: Mapping[str, str] = field(default_factory=dict)
    renews_from: str | None = None
    renews_before: str | None = None
    least_at_risk: float | None = None
    search: str | None = None
    attention_until: str | None = None
    least_growth: float | None = None
    least_churn: float | None = None
    or_among: Collection[str] = ()
    sort: str = "arr_at_risk"
    descending: bool = True
    limit: int | None = 50
    offset: int = 0


def conditions_of(chosen: AccountFilter) -> tuple[list[str], list[Any]]:
    """The conditions of a WHERE, and the values of their marks."""
    where: list[str] = ["h.horizon_months = ?"]
    values: list[Any] = [chosen.horizon_months]
    simple = {
        "a.csm = ?": chosen.csm,
        "a.renews_on >= ?": chosen.renews_from,
        "a.renews_on < ?": chosen.renews_before,
        "h.arr_at_risk >= ?": chosen.least_at_risk,
        "a.growth_reason <> '' AND h.expansion_probability >= ?": chosen.least_growth,
    }
    for condition, value in simple.items():
        if value is not None:
            where, values = [*where, condition], [*values, value]
    if chosen.attention_until is not None:
        where, values = [*where, _ATTENTION], [*values, chosen.attention_until, RISE]
    if chosen.least_churn is not None:
        condition = "(h.churn_probability >= ? OR a.account_id IN (SELECT value FROM json_each(?)))"
        where, values = [*where, condition], [*values, chosen.least_churn, json.dumps(sorted(chosen.or_among))]
    for cut, label in chosen.cuts.items():
        if cut in CUTS:
            where, values = [*where, f"{CUTS[cut]} = ?"], [*values, label]
        else:
            where, values = [*where, LABEL.format("a.labels")], [*values, cut, label]
    if chosen.search:
        pattern = "%" + "".join("\\" + c if c in "%_\\" else c for c in chosen.search) + "%"
        where = [*where, "(a.name LIKE ? ESCAPE '\\' OR a.account_id LIKE ? ESCAPE '\\')"]
        values = [*values, pattern, pattern]
    return where, values
