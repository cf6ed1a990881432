"""What became of the ARR of each account in a window, as the amounts that rates are made of: one cohort for all."""

import pandas as pd

GAINS = ("new", "reactivation", "resume", "upsell", "cross_sell")
LOSSES = ("contraction", "pause", "churn")
BAD = "bad"


def window_facts(changes: pd.DataFrame, fits: "pd.Series[str] | None" = None) -> pd.DataFrame:
    """The amounts, by account.

    Parameters
    ----------
    changes
        `Changes.accounts` of the window, or some of its rows, by `account_id`.
    fits
        The fit of each account; None where it is not known.
    """
    cohort = changes["cohort"].astype("int64")
    price = changes["price_change"]
    facts = pd.DataFrame({
        "moved": 1,
        "cohort": cohort,
        "kept": changes["customer"].astype("int64") * cohort,
        "starting_arr": changes["starting_arr"],
        "ending_arr": changes["ending_arr"],
        "kept_arr": changes[["starting_arr", "ending_arr"]].min(axis=1),
        "churned_arr": -changes["churn"] * cohort,
        "contracted_arr": -changes["contraction"] * cohort,
        "paused_arr": -changes["pause"] * cohort,
        "upsold_arr": changes["upsell"] * cohort,
        "cross_sold_arr": changes["cross_sell"] * cohort,
        "price_arr": price * cohort,
        "gained_arr": changes[list(GAINS)].sum(axis=1) + price.clip(lower=0),
        "lost_arr": -changes[list(LOSSES)].sum(axis=1) - price.clip(upper=0),
    })  # fmt: skip
    facts["left"] = cohort - facts["kept"]
    facts["expanded_arr"] = facts["upsold_arr"] + facts["cross_sold_arr"]
    return facts if fits is None else _with_fit(facts, fits.reindex(facts.index).eq(BAD))


def _with_fit(facts: pd.DataFrame, bad: "pd.Series[bool]") -> pd.DataFrame:
    """The same amounts of accounts of bad fit apart, and NRR's of all others."""
    for name in ("cohort", "left", "starting_arr", "churned_arr"):
        facts[f"bad_fit_{name}"] = facts[name].where(bad, 0)
    for name in ("cohort", "starting_arr", "ending_arr"):
        facts[f"better_fit_{name}"] = facts[name].where(~bad, 0)
    return facts
