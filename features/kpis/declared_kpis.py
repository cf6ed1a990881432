"""The KPIs, declared once: what each is over what, its unit, what it means, and which way it is to go.

Each is a sum over accounts divided by another, so that any part of them, a spreadsheet and a slow loop can repeat it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

SHARE, RATIO, PEOPLE, DAYS, MONEY, MONTHS = "share", "ratio", "people", "days", "currency", "months"
UP, DOWN, NEITHER = 1, -1, 0
SHARE_DAYS = (30, 60, 90)
CLTV_MONTHS = (12, 24, 36, 60)


@dataclass(frozen=True)
class Ratio:
    """A KPI that is a sum of account facts over another.

    Attributes
    ----------
    over, under
        Columns of `account_facts`; with an empty `under` the figure is the sum of `over` itself.
    counted
        The column whose sum is n, what the figure is of.
    definition
        In words; {months} is the window's length, {start} and {end} its days.
    better
        Whether it is to go up or down.
    annual
        Whether a window of other than twelve months also gives it annualised.
    empty
        Why there is none, where nothing is under it.
    """

    name: str
    over: str
    under: str
    definition: str
    counted: str = "cohort"
    unit: str = SHARE
    better: int = UP
    annual: bool = False
    empty: str = "no account had ARR at the start"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of facts that it takes."""
        return tuple(name for name in (self.over, self.under, self.counted) if name)


_START = "of the accounts with ARR on {start}"
_NOBODY = "no customer on {end}"
RATIOS = (
    Ratio("nrr", "ending_arr", "starting_arr", f"ARR on {{end}} {_START}, over their ARR then"),
    Ratio("grr", "kept_arr", "starting_arr", f"as NRR, each account capped at its ARR on {{start}}; {_START}"),
    Ratio("logo_retention", "kept", "cohort", f"customers on {{end}} {_START}, over their number"),
    Ratio(
        "churn_rate_logo", "left", "cohort", f"accounts that left {_START}, over their number", better=DOWN, annual=True
    ),
    Ratio(
        "churn_rate_revenue",
        "churned_arr",
        "starting_arr",
        f"ARR that left with accounts {_START}, over their ARR then",
        better=DOWN,
        annual=True,
    ),
    Ratio(
        "contraction_rate",
        "contracted_arr",
        "starting_arr",
        f"ARR given up by accounts that stayed {_START}, price cuts apart, over the ARR of all then",
        better=DOWN,
        annual=True,
    ),
    Ratio(
        "pause_rate",
        "paused_arr",
        "starting_arr",
        f"ARR of accounts that are paused on {{end}}, {_START}, over the ARR of all then",
        better=DOWN,
    ),
    Ratio(
        "expansion_rate",
        "expanded_arr",
        "starting_arr",
        f"upsell and cross-sell {_START}, over their ARR then; prices apart",
    ),
    Ratio("upsell_rate", "upsold_arr", "starting_arr", f"ARR added in volume {_START}, over their ARR then"),
    Ratio(
        "cross_sell_rate",
        "cross_sold_arr",
        "starting_arr",
        f"ARR added by what is new to the account {_START}, over their ARR then",
    ),
    Ratio("price_rate", "price_arr", "starting_arr", f"change of price, up less down, {_START}, over their ARR then"),
    Ratio(
        "quick_ratio",
        "gained_arr",
        "lost_arr",
        "ARR gained from {start} to {end} (new, back, expansion, dearer) over ARR lost (churn, pause, "
        "contraction, cheaper)",
        counted="moved",
        unit=RATIO,
        empty="nothing was lost, so there is no ratio",
    ),
    Ratio(
        "bad_fit_churn_rate_logo",
        "bad_fit_left",
        "bad_fit_cohort",
        f"accounts that left {_START} and of bad fit then, over their number",
        counted="bad_fit_cohort",
        better=DOWN,
        empty="no account of bad fit",
    ),
    Ratio(
        "bad_fit_churn_rate_revenue",
        "bad_fit_churned_arr",
        "bad_fit_starting_arr",
        f"ARR that left with accounts {_START} and of bad fit then, over their ARR",
        counted="bad_fit_cohort",
        better=DOWN,
        empty="no account of bad fit",
    ),
    Ratio(
        "nrr_without_bad_fit",
        "better_fit_ending_arr",
        "better_fit_starting_arr",
        f"NRR {_START} but for those of bad fit then",
        counted="better_fit_cohort",
    ),
    Ratio(
        "goals_reached",
        "goals_reached",
        "goals_due",
        "twelve-month goals due from {start} to {end} that were reached by their day, over all due; accounts "
        "that left first have not reached theirs",
        counted="goals_due",
        empty="no such goal was due",
    ),
    Ratio(
        "cadence_kept",
        "touches_kept",
        "touches_due",
        "touches planned from {start} on and due before {end} that were done in time ({tolerance} days late at "
        "most), over all planned",
        counted="touches_due",
        empty="no touch was planned",
    ),
    Ratio(
        "contact_redundancy",
        "redundancy",
        "customers",
        "the customer's people in contact and our people who acted in the 90 days before {end}, at most 3 of "
        "either side: mean over customers, of 6",
        counted="customers",
        unit=PEOPLE,
        empty=_NOBODY,
    ),
    Ratio(
        "single_threaded",
        "single_threaded",
        "customers",
        "customers on {end} of which one person at most was in contact in the 90 days before, over all",
        counted="customers",
        better=DOWN,
        empty=_NOBODY,
    ),
    Ratio(
        "advocacy",
        "advocates",
        "customers",
        "customers on {end} that gave a referral or a reference in the year before, over all",
        counted="customers",
        empty=_NOBODY,
    ),
    Ratio(
        "referral_rate",
        "referrals",
        "customers",
        "referrals of customers of {end} in the year before, a customer; n is how many referrals",
        counted="referrals",
        unit=RATIO,
        empty=_NOBODY,
    ),
    Ratio(
        "reference_rate",
        "references",
        "customers",
        "references that customers of {end} gave in the year before, a customer; n is how many references",
        counted="references",
        unit=RATIO,
        empty=_NOBODY,
    ),
    Ratio(
        "referred_arr",
        "referred_arr",
        "",
        "ARR on {end} of the accounts that began from {start} on and whose source is referral",
        counted="referred",
        unit=MONEY,
    ),
    Ratio(
        "referred_arr_share",
        "referred_arr",
        "won_arr",
        "the same over the ARR of all accounts that began from {start} on and whose source is known",
        counted="referred",
        empty="no account of a known source began",
    ),
    Ratio(
        "lead_conversion",
        "leads_won",
        "leads_closed",
        "leads for more business that were won from {start} to {end}, over all that were won or given up then",
        counted="leads_closed",
        empty="no lead was closed",
    ),
    Ratio(
        "services_revenue",
        "services_amount",
        "",
        "paid for services delivered from {start} to {end}, at the rates of {end}; it is revenue once and no ARR",
        counted="services_bought",
        unit=MONEY,
        better=NEITHER,
    ),
    Ratio(
        "survey_response",
        "surveys_answered",
        "surveys_sent",
        "surveys sent from {start} to {end} that were answered before {end}, over all sent",
        counted="surveys_sent",
        empty="no survey was sent",
    ),
    Ratio(
        "decider_response",
        "deciders_answered",
        "deciders_asked",
        "the same of decision-makers and sponsors",
        counted="deciders_asked",
        empty="no survey was sent to one",
    ),
    *(
        Ratio(
            f"cltv_{months}",
            f"cltv_{months}",
            "customers",
            f"gross profit of the {months} months after {{end}}, discounted, a customer of that day: chance to be one "
            "still x ARR then / 12 x margin, month by month; the first twelve months by the published forecast of that "
            "day where there is one, those beyond by the rates at which customers left, by tenure and segment",
            counted="customers",
            unit=MONEY,
            empty=_NOBODY,
        )
        for months in CLTV_MONTHS
    ),
    Ratio(
        "cltv_beyond_share",
        "cltv_beyond",
        f"cltv_{CLTV_MONTHS[-1]}",
        f"share of cltv_{CLTV_MONTHS[-1]} that lies beyond twelve months, where no forecast reaches",
        counted="customers",
        better=NEITHER,
        empty=_NOBODY,
    ),
    Ratio(
        "cltv_to_cac",
        "new_cltv",
        "new_cost",
        f"cltv_{CLTV_MONTHS[-1]} of the accounts won from {{start}} to {{end}}, those that left at 0, over what it "
        "cost to win them",
        counted="new_with_cost",
        unit=RATIO,
        empty="no account with an acquisition cost was won",
    ),
    Ratio(
        "cac_payback",
        "new_cost",
        "new_margin",
        "what it cost to win the accounts of {start} to {end} over their gross profit a month so far",
        counted="new_with_cost",
        unit=MONTHS,
        better=DOWN,
        empty="no account with an acquisition cost was won",
    ),
    Ratio(
        "lost_before_payback",
        "lost_unpaid",
        "lost_with_cost",
        "of the accounts that left from {start} to {end}, those whose gross profit until then was below what it cost "
        "to win them",
        counted="lost_with_cost",
        better=DOWN,
        empty="no account with an acquisition cost left",
    ),
)
FIRST_VALUE = tuple(f"first_value_by_day_{day}" for day in SHARE_DAYS)
MEDIAN = "ttfv_median"
KICKOFF, FROM_KICKOFF = "signature_to_kickoff_median", "kickoff_to_first_value_median"
PHASE_RATES = ("phase_on_time", "phase_stalled")
PHASE_LATE, PHASE_ARR = "phase_days_late", "phase_stalled_arr"
ANNUALISED = "_annualised"
_TO_GO_DOWN = (MEDIAN, KICKOFF, FROM_KICKOFF, PHASE_RATES[1], PHASE_LATE, PHASE_ARR)


def kpi_names() -> Iterator[str]:
    """All names that a target may have."""
    yield from (ratio.name for ratio in RATIOS)
    yield from (ratio.name + ANNUALISED for ratio in RATIOS if ratio.annual)
    yield from (*FIRST_VALUE, MEDIAN, KICKOFF, FROM_KICKOFF, *PHASE_RATES, PHASE_LATE, PHASE_ARR)


def direction(name: str) -> int:
    """Whether a KPI is to go up or down."""
    directions = {ratio.name: ratio.better for ratio in RATIOS} | dict.fromkeys(_TO_GO_DOWN, DOWN)
    return directions.get(name.removesuffix(ANNUALISED), UP)
