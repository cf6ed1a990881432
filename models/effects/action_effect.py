"""What is known of one kind of action: the estimates, their intervals, and the words that may be said of them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

HELPFUL, HARMFUL, NO_EFFECT = "helpful", "harmful", "no effect found"
NOT_KNOWN, NOT_SEPARABLE = "not known", "not separable without a trial"
VERDICTS = (HELPFUL, HARMFUL, NO_EFFECT, NOT_KNOWN, NOT_SEPARABLE)
GOOD, WEAK, NONE_YET = "good", "weak", "none yet"
EVIDENCE_OF = {HELPFUL: GOOD, HARMFUL: GOOD, NO_EFFECT: WEAK, NOT_SEPARABLE: WEAK, NOT_KNOWN: NONE_YET}


@dataclass(frozen=True, kw_only=True)
class ActionEffect:
    """One more done action of a kind in the month after a month start, later actions as usual.

    None stands for what could not be estimated. Intervals are 95 % and hold the allowance for hidden confounding.

    Attributes
    ----------
    level, action
        What the kind is (`action`, `process` or `playbook`) and its name.
    treated_rows, treated_accounts, missed_rows
        Account-months in which it was done, of how many accounts, and in which it was planned and missed only.
    logit, logit_se, logit_low, logit_high
        Shift of the log-odds of churn in the month of the action; `decay` of it is left in each later month. The
        standard error is that of the sample alone.
    decay
        Share of the shift that is left a month later.
    allowance
        How far hidden confounding is allowed to have moved `logit`.
    pooled_logit, pooled_se
        The same drawn towards the mean of all kinds: what to rank by.
    churn_points, se, low, high
        Points of 12-month churn of those it was done with: -0.9 is 0.9 points less.
    expansion_logit, contraction_logit, ...
        The same of expansion and contraction.
    arr_points, arr_low, arr_high
        Points of ARR a year later, from the ARR at the month start.
    verdict, evidence, reason
        One of `VERDICTS`; good, weak or none yet; why, in a sentence.
    rows_needed
        Treated account-months at which an effect of twice the allowance would be seen in 4 of 5 cases; None where no
        number would do.
    refuters
        What tried to refute the estimate: figures by name, and `passed`.
    """

    level: str
    action: str
    treated_rows: int
    treated_accounts: int
    missed_rows: int
    decay: float
    allowance: float
    verdict: str
    evidence: str
    reason: str
    rows_needed: int | None = None
    logit: float | None = None
    logit_se: float | None = None
    logit_low: float | None = None
    logit_high: float | None = None
    pooled_logit: float | None = None
    pooled_se: float | None = None
    churn_points: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    expansion_logit: float | None = None
    expansion_logit_se: float | None = None
    expansion_points: float | None = None
    expansion_low: float | None = None
    expansion_high: float | None = None
    contraction_logit: float | None = None
    contraction_logit_se: float | None = None
    contraction_points: float | None = None
    contraction_low: float | None = None
    contraction_high: float | None = None
    arr_points: float | None = None
    arr_low: float | None = None
    arr_high: float | None = None
    refuters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_estimated(self) -> bool:
        """Whether there is an estimate that stands: neither refused nor refuted."""
        return self.logit is not None and self.verdict != NOT_KNOWN

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def to_row(self) -> dict[str, Any]:
        """The same as a row of a table, in which the refuters are one text."""
        return self.to_json() | {"refuters": json.dumps(self.refuters, sort_keys=True)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The effect that `to_row` wrote; other columns are ignored."""
        values = {each.name: _plain(each.name, row[each.name]) for each in fields(cls) if each.name != "refuters"}
        return cls(**(values | {"refuters": json.loads(row["refuters"])}))


_COUNTS = ("treated_rows", "treated_accounts", "missed_rows", "rows_needed")


def _plain(name: str, value: Any) -> Any:
    """A cell of a table as a plain value: None where it is empty."""
    if isinstance(value, str) or value is None:
        return value
    number = float(value)
    return None if math.isnan(number) else int(number) if name in _COUNTS else number
