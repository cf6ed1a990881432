"""What a feature is: a declaration that the engine, the models, the docs and the reasons all read."""

import math
from dataclasses import dataclass
from typing import Literal

from features.families.kinds import Value

Family = Literal["usage", "csm_actions", "engagement", "contract_history"]
Span = tuple[float, float]
ANY: Span = (-math.inf, math.inf)
_SPANS: dict[str, Span] = {"share": (0, 1), "0/1": (0, 1), "0 to 1": (0, 1), "-2 churn to 1 expand": (-2, 1)}


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of a snapshot.

    Parameters
    ----------
    name
        Column name; carries its window, such as `active_users_28d`.
    family
        Which of the four families of signals it belongs to.
    value
        What it is, by one of the kinds of `features.families.kinds`.
    unit
        Unit of the value, such as `users`, `days`, `share`.
    meaning
        What it says, in one sentence.
    sentence
        What a CSM reads; `{value}` is replaced by the formatted value.
    signal
        Features of one signal are shown as one reason.
    expected
        Which way more of it is expected to move churn: +1 up, -1 down, 0 unknown. Documentation, not a constraint.
    kind
        `number`, or `category` for text.
    span
        The least and the most it can be, where its unit does not tell; see `possible`.
    """

    name: str
    family: Family
    value: Value
    unit: str
    meaning: str
    sentence: str
    signal: str
    expected: Literal[-1, 0, 1] = 0
    kind: Literal["number", "category"] = "number"
    span: Span | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns it is made from, as `table.column`; where one is absent the feature is left out."""
        return self.value.needs

    @property
    def window_days(self) -> int | None:
        """How far back it looks; None for a state."""
        return self.value.window_days

    @property
    def possible(self) -> Span:
        """The least and the most it can be: as declared, else what its unit holds, and no more days than its window."""
        if self.span is not None:
            return self.span
        window = self.window_days if self.unit == "days" else None
        return _SPANS.get(self.unit, (0, math.inf if window is None else window))
