"""The rules of the second world: every figure that is a choice stands here, in order of segment small, mid, enterprise.

It is a business that decides at the ends of terms. Nothing here follows the model's form: no monthly hazard of term
accounts, no independent chances of growing and shrinking, no signal that is linear in what it speaks of.
"""

import numpy as np

SEGMENTS = ("small", "mid", "enterprise")
INDUSTRIES = ("Software", "Retail", "Education", "Health", "Manufacturing")
REGIONS = ("Americas", "EMEA", "APAC")
MIX = np.array([0.48, 0.38, 0.14])

# What they buy: seats and the price of a seat a month, both log-normal, so that a few accounts are large.
SEATS_MEDIAN = np.array([9.0, 34.0, 120.0])
SEATS_SPREAD = np.array([0.55, 0.60, 0.75])
PRICE_MEDIAN = np.array([62.0, 74.0, 88.0])
PRICE_SPREAD = 0.28
ADDON_SHARE = np.array([0.15, 0.30, 0.50])  # that have the second product from the start

# How they buy it.
MONTHLY_SHARE = np.array([0.38, 0.08, 0.0])
TERMS = (12, 24, 36)
TERM_MIX = np.array([[0.95, 0.04, 0.01], [0.78, 0.14, 0.08], [0.58, 0.18, 0.24]])
AUTO_SHARE = np.array([0.55, 0.40, 0.25])
LEAD_MONTHS = np.array([1, 2, 3])  # from so long before the end of a term they may decide
DECIDES_EARLY = 0.40  # a month, within the lead

# The hidden state, all in units of about one standard deviation; how much of it stays from month to month.
VALUE_KEPT, VALUE_NOISE = 0.965, 0.20
SPONSOR_KEPT, SPONSOR_NOISE = 0.95, 0.16
BUDGET_KEPT, BUDGET_NOISE = 0.90, 0.30
DEMAND_NOISE = 0.035
DEMAND_DRIFT = np.array([0.009, 0.003, 0.000])
CHAMPION_LEAVES, CHAMPION_COST, MONTHS_WITHOUT = 0.018, 1.1, (1, 5)
HONEYMOON_MONTHS = 4

# The market: calm or a squeeze. It adds to the pressure on budgets, unequally, and halves growth.
SQUEEZE_BEGINS, SQUEEZE_ENDS = 1 / 34, 1 / 11
SQUEEZE = np.array([1.1, 0.6, 0.2])
SQUEEZE_BY_INDUSTRY = np.array([1.0, 1.7, 0.4, 0.6, 1.3])

# The decision at the end of a term: log-odds of leaving.
LEAVES = np.array([-0.70, -1.80, -2.50])
BY_VALUE, BY_SPONSOR, BY_BUDGET, BY_RISE, BY_SHELF = -1.15, -0.60, 0.60, 7.0, 1.4
BOTH_WEAK = 0.9  # low value without a sponsor is worse than the sum of the two
SILENT_IF_LEAVING = np.array([0.5, 0.3, 0.15])  # of those who decide at the very end and do not renew by themselves
LATE_IF_STAYING = np.array([0.22, 0.14, 0.10])
ADDON_DROPPED = 0.10
ADDON_ADDED = 0.05  # a month, at most; of accounts that get value

# Price rises: a policy of the vendor, a year's figure for all renewals, waived or bargained away by some.
RISE_RANGE, RISE_WAIVED = (0.02, 0.07), 0.45
NEW_TERM_CHANGES = 0.12

# Monthly plans: a chance each month, by tenure and by how much is used for each seat.
MONTHLY_LEAVES, MONTHLY_BY_TENURE, MONTHLY_BY_USE, MONTHLY_BY_VALUE = -2.2, -0.30, -0.9, -0.45
MONTHLY_ADJUSTS = 0.10
MONTHLY_TO_TERM = 0.008

INSOLVENT = np.array([0.0016, 0.0007, 0.0002])  # a month; three times as often in a squeeze
RETURNS = 0.006  # a month, in the year after leaving
SEATS_ADDED = 0.33  # a month, where more people want in than there are seats

# What the customer success team does about what it believes.
ACTS = {"high": 0.55, "low": 0.28, "tech": 0.10}
ACTION_VALUE, ACTION_SPONSOR = 0.05, 0.08
GRACE_DAYS = 30
