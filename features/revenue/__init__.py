"""Revenue arithmetic: contract lines -> when each is active -> ARR at an instant, by what was known at a date.

A line is active from its start until it ended, else until its scheduled end. What follows a term replaces it (the rule
stands in `features.revenue.lines`): a line that is followed within the grace runs on until then, also where notice had
been given, so that a late renewal leaves neither a gap nor a double count. A term that ran out in silence stays active
through the grace, flagged overdue. An account that pays nothing for a while inside a chain of lines is paused
(`features.revenue.spells`).

ARR of a line is 12 x its MRR at a month's rate, rounded to cents once, line by line: everything else is a sum of
whole cents, so parts add up to totals exactly, whatever the order.
"""

from features.revenue.lines import line_states
from features.revenue.movements import MOVEMENTS, movements
from features.revenue.paths import CohortPaths, add_months, arr_by_account, cohort_paths, settled_before
from features.revenue.renewals import available_to_renew, monthly_plans, renewal_rates, renewals
from features.revenue.retention import Retention, red_flag, reported_nrr, retention, retention_by, trailing_retention

__all__ = [
    "MOVEMENTS",
    "CohortPaths",
    "Retention",
    "add_months",
    "arr_by_account",
    "available_to_renew",
    "cohort_paths",
    "line_states",
    "monthly_plans",
    "movements",
    "red_flag",
    "renewal_rates",
    "renewals",
    "reported_nrr",
    "retention",
    "retention_by",
    "settled_before",
    "trailing_retention",
]
