"""The numbers of the simulated world: segments, actions with their true effects, and the strength of each cause."""

from dataclasses import dataclass

import numpy as np

from features.simulation.months import Floats

PRODUCTS = ("Core", "Insights", "Connect")
CURRENCIES = ("USD", "EUR", "GBP")
INDUSTRIES = ("Software", "Manufacturing", "Retail", "Health", "Finance", "Education")
REGIONS = ("Americas", "EMEA", "APAC")
FITS = ("good", "stretch", "bad")
TOUCHES = ("high", "low", "tech")
TERMS_MONTHS = (1, 12, 24, 36, 0)  # 0 = evergreen
GRACE_DAYS = 30


@dataclass(frozen=True)
class Segment:
    """A segment: how many, how big, which terms, how often they leave and grow."""

    name: str
    share: float
    yearly_churn: float
    median_mrr: float
    mrr_spread: float
    median_seats: float
    seats_spread: float
    terms: tuple[float, ...]
    touches: tuple[float, ...]
    monthly_upsell: float
    monthly_cross_sell: float
    renewal_downsell: float
    median_acquisition_cost: float


SEGMENTS = (
    Segment(
        name="small",
        share=0.50,
        yearly_churn=0.25,
        median_mrr=700.0,
        mrr_spread=0.45,
        median_seats=6.0,
        seats_spread=0.45,
        terms=(0.22, 0.66, 0.06, 0.02, 0.04),
        touches=(0.05, 0.35, 0.60),
        monthly_upsell=0.016,
        monthly_cross_sell=0.006,
        renewal_downsell=0.05,
        median_acquisition_cost=5_000.0,
    ),
    Segment(
        name="mid",
        share=0.35,
        yearly_churn=0.12,
        median_mrr=3_200.0,
        mrr_spread=0.5,
        median_seats=14.0,
        seats_spread=0.45,
        terms=(0.04, 0.68, 0.16, 0.10, 0.02),
        touches=(0.35, 0.55, 0.10),
        monthly_upsell=0.022,
        monthly_cross_sell=0.009,
        renewal_downsell=0.05,
        median_acquisition_cost=30_000.0,
    ),
    Segment(
        name="enterprise",
        share=0.15,
        yearly_churn=0.064,
        median_mrr=14_000.0,
        mrr_spread=0.6,
        median_seats=34.0,
        seats_spread=0.5,
        terms=(0.0, 0.52, 0.18, 0.28, 0.02),
        touches=(0.85, 0.15, 0.0),
        monthly_upsell=0.026,
        monthly_cross_sell=0.010,
        renewal_downsell=0.05,
        median_acquisition_cost=130_000.0,
    ),
)


@dataclass(frozen=True)
class Action:
    """What a CSM may do in a month.

    `monthly_logit` is the log-odds at average risk under low touch, `by_risk` how much the CSM's view of the
    risk adds, `effect` what it truly adds to the account's health that month (it fades as health does), and `growth`
    to its pull to grow.
    """

    name: str
    process: str
    playbook: str
    monthly_logit: float
    by_risk: float
    effect: float
    growth: float = 0.0


ACTIONS = (
    Action("business_review", "success plan", "quarterly review", -2.3, 0.35, 0.12),
    Action("training", "onboarding", "adoption", -2.6, 0.45, 0.16),
    Action("success_plan", "success plan", "joint plan", -3.2, 0.55, 0.22),
    Action("executive_call", "retention", "save", -3.9, 0.90, 0.30),
    Action("newsletter", "advocacy", "newsletter", -1.6, 0.60, 0.0),
)


@dataclass(frozen=True)
class Rules:
    """How strongly each cause acts. Health has mean near 0 and spread near 1; scores are on the logit scale."""

    actions: tuple[Action, ...] = ACTIONS
    actions_a_month: int | None = None  # that a CSM has time for; the others are missed, the least risky first
    level_spread: float = 0.55
    fit_level: tuple[float, ...] = (0.25, -0.1, -0.7)
    fit_shares: tuple[float, ...] = (0.62, 0.26, 0.12)
    health_memory: float = 0.90
    health_noise: float = 0.30
    honeymoon: float = 0.05
    growth_memory: float = 0.92
    growth_noise: float = 0.24
    care_memory: float = 0.85
    care_noise: float = 0.35
    champion_leaves: float = 0.020
    champion_found: float = 0.18
    champion_jump: float = -0.45
    sponsor_leaves: float = 0.015
    sponsor_found: float = 0.15
    sponsor_jump: float = -0.2
    csm_changes: float = 0.012
    churn_by_health: float = -0.95
    churn_without_champion: float = 0.55
    churn_without_sponsor: float = 0.25
    churn_by_fit: tuple[float, ...] = (0.0, 0.1, 0.4)
    churn_by_size: float = -0.35
    churn_first_renewal: float = 0.25
    churn_when_late: float = 0.7
    view_noise: float = 0.8
    touch_logit: tuple[float, ...] = (0.7, 0.0, -1.3)
    expansion_by_health: float = 0.5
    expansion_by_growth: float = 0.9
    shock_memory: float = 0.85
    shock_noise: tuple[float, float] = (0.16, 0.14)
    shock_correlation: float = -0.5
    monthly_early_stop: float = 0.0006
    monthly_downsell: float = 0.0025
    monthly_return: float = 0.004
    price_rise: float = 0.60
    renewal_upsell: float = 0.12
    product_dropped: float = 0.05


RULES = Rules()
# A team with more planned than it has time for, and a playbook that sells more and harms.
PITCH = Action("upgrade_pitch", "expansion", "upsell push", -2.9, 0.30, -0.24, growth=0.30)
STRETCHED = Rules(actions=(*ACTIONS, PITCH), actions_a_month=14)
TEAMS = {"steady": RULES, "stretched": STRETCHED}


def by_segment(name: str) -> Floats:
    """A number of every segment, in the order of `SEGMENTS`."""
    return np.array([getattr(segment, name) for segment in SEGMENTS], dtype=np.float64)
