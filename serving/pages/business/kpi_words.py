"""KPIs as people read them: their names, the groups they stand in, and figures with their unit."""

from collections.abc import Mapping
from typing import Any

from serving.pages.formats import DASH, label, money, percent

GROUPS = {
    "Keeping": (
        *("nrr", "grr", "logo_retention", "churn_rate_logo", "churn_rate_revenue", "contraction_rate", "pause_rate"),
    ),
    "Growing": (
        *("expansion_rate", "upsell_rate", "cross_sell_rate", "price_rate", "quick_ratio", "lead_conversion"),
        "services_revenue",
    ),
    "First value and goals": (
        *("ttfv_median", "first_value_by_day_30", "first_value_by_day_60", "first_value_by_day_90"),
        *("signature_to_kickoff_median", "kickoff_to_first_value_median", "goals_reached"),
    ),
    "Phases": ("phase_on_time", "phase_days_late", "phase_stalled", "phase_stalled_arr"),
    "Contact": ("cadence_kept", "contact_redundancy", "single_threaded", "survey_response", "decider_response"),
    "Advocacy": ("advocacy", "referral_rate", "reference_rate", "referred_arr", "referred_arr_share"),
    "What a customer is worth": (
        *("cltv_12", "cltv_24", "cltv_36", "cltv_60", "cltv_beyond_share", "cltv_to_cac", "cac_payback"),
        "lost_before_payback",
    ),
    "Fit": ("bad_fit_churn_rate_logo", "bad_fit_churn_rate_revenue", "nrr_without_bad_fit"),
}
ANNUALISED = "_annualised"
TITLES = {
    "nrr": "NRR",
    "grr": "GRR",
    "logo_retention": "Customers kept",
    "churn_rate_logo": "Customers lost",
    "churn_rate_revenue": "ARR lost with customers",
    "contraction_rate": "ARR given up by those who stayed",
    "pause_rate": "ARR paused",
    "expansion_rate": "Expansion (upsell and cross-sell)",
    "upsell_rate": "Upsell",
    "cross_sell_rate": "Cross-sell",
    "price_rate": "Change of price",
    "lead_conversion": "Leads won, of those closed",
    "services_revenue": "Paid for services (no ARR)",
    "ttfv_median": "Median time to first value",
    "signature_to_kickoff_median": "Median time from signature to kickoff",
    "kickoff_to_first_value_median": "Median time from kickoff to first value",
    "first_value_by_day_30": "First value by day 30",
    "first_value_by_day_60": "First value by day 60",
    "first_value_by_day_90": "First value by day 90",
    "goals_reached": "Goals reached in time",
    "phase_on_time": "Phases ended on time",
    "phase_days_late": "Days that phases end late",
    "phase_stalled": "Customers stalled in a phase",
    "phase_stalled_arr": "ARR of customers stalled in a phase",
    "cadence_kept": "Planned touches done in time",
    "contact_redundancy": "People in contact, both sides",
    "single_threaded": "Customers with one contact or none",
    "advocacy": "Customers who referred us or were a reference",
    "referral_rate": "Referrals a customer",
    "reference_rate": "References a customer",
    "referred_arr": "ARR that was referred",
    "referred_arr_share": "Share of new ARR that was referred",
    "survey_response": "Surveys answered",
    "decider_response": "Surveys answered by decision-makers",
    "cltv_12": "Lifetime value, 12 months",
    "cltv_24": "Lifetime value, 24 months",
    "cltv_36": "Lifetime value, 36 months",
    "cltv_60": "Lifetime value, 60 months",
    "cltv_beyond_share": "Share of the 60 months that lies beyond the first 12",
    "cltv_to_cac": "Lifetime value over acquisition cost",
    "cac_payback": "Months to earn back the acquisition cost",
    "lost_before_payback": "Lost before they paid back their cost",
    "quick_ratio": "Quick ratio: ARR gained over ARR lost",
    "bad_fit_churn_rate_logo": "Customers of bad fit lost",
    "bad_fit_churn_rate_revenue": "ARR of bad fit lost",
    "nrr_without_bad_fit": "NRR without bad fit",
}


def kpi_title(name: str) -> str:
    """What people call a KPI."""
    plain = name.removesuffix(ANNUALISED)
    return TITLES.get(plain, label(plain)) + ("" if plain == name else ", a year")


def in_words(definition: str) -> str:
    """A definition in which KPIs are called as people call them."""
    words = (TITLES.get(word, word) if "_" in word else word for word in definition.split(" "))
    return " ".join(words)


def kpi_figure(row: Mapping[str, Any]) -> str:
    """A KPI with its unit, money in that of the page; a dash where there is none."""
    figure = row["figure"]
    if figure is None:
        return DASH
    match row["unit"]:
        case "share":
            return percent(figure)
        case "currency":
            return money(figure)
        case "days" | "months":
            return f"{figure:,.0f} {row['unit']}"
        case "people":
            return f"{figure:.1f} of 6"
        case _:
            return f"{figure:,.{2 if abs(figure) < 1 else 1}f}"
