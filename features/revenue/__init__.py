"""Revenue arithmetic: contract lines -> when each is active -> ARR at an instant, by what was known at a date.

A line is active from its start until it ended, else until its scheduled end. A term that ran out in silence stays
active through the grace (flagged overdue) or, where a successor starts within the grace, until the successor
starts: a late renewal leaves neither a gap nor a double count. A successor is a line of the same product and
buying centre or, where there is none, one that REPLACES the line: another product in the same buying centre that
was not in force there just before and was not sold as an upsell or cross-sell (a plan switch).

ARR of a line is 12 x its MRR at a month's rate, rounded to cents once, line by line: everything else is a sum of
whole cents, so parts add up to totals exactly, whatever the order.
"""

from features.revenue.lines import line_states
from features.revenue.movements import MOVEMENTS, movements
from features.revenue.paths import CohortPaths, add_months, arr_by_account, cohort_paths, settled_before
from features.revenue.renewals import available_to_renew, renewal_rates, renewals
from features.revenue.retention import Retention, red_flag, reported_nrr, retention, retention_by

__all__ = [
    "MOVEMENTS",
    "CohortPaths",
    "Retention",
    "add_months",
    "arr_by_account",
    "available_to_renew",
    "cohort_paths",
    "line_states",
    "movements",
    "red_flag",
    "renewal_rates",
    "renewals",
    "reported_nrr",
    "retention",
    "retention_by",
    "settled_before",
]
