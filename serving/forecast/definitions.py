"""What each figure means, as the sentence that goes with it wherever it is printed, exported or served."""

from dataclasses import dataclass
from datetime import date

from features.revenue import add_months
from models.reasons.peers import FEWEST
from models.words import counted
from serving.forecast.declared.output_tables import ACCOUNT_FIGURES, METRIC_OF

TRAILING_MONTHS = 12
_EXPLAINED = {"churn": "leaving at least once", "expansion": "expanding at least once, were it to stay,"}
_REACTIVATION = {
    "exclude": "an account that left and came back counts 0",
    "include": "an account that left and came back counts with its ARR, and returns ahead are forecast",
}


@dataclass(frozen=True)
class Rules:
    """The rules of one forecast that its definitions name."""

    as_of: date
    currency: str
    grace_days: int
    reactivation: str

    def metric(self, name: str, horizon_months: int) -> str:
        """Definition of a figure of nrr_forecast."""
        end = add_months(self.as_of, horizon_months)
        dates = {"start": self.as_of, "end": end, "year_before": add_months(end, -TRAILING_MONTHS)}
        return f"{METRIC_OF[name].definition.format(**dates)}. {self._common()}"

    def portfolio(self) -> str:
        """Definition of NRR, GRR, logo and reported NRR over any horizon, in one paragraph."""
        return (
            f"NRR = ARR at the window's end of the accounts with ARR at {self.as_of}, over their ARR then; GRR caps "
            "each account at its ARR then; reported NRR is that of the twelve months before the window's end, "
            f"realised part included. Windows are [{self.as_of}, {self.as_of} + months). Means and 80 % intervals "
            f"(10th to 90th percentile) of simulated futures. {self._common()}"
        )

    def account(self, horizon_months: int) -> str:
        """Definition of a row of account_forecast."""
        end = add_months(self.as_of, horizon_months)
        definitions = "".join(f"; {figure.definition}" for figure in ACCOUNT_FIGURES if figure.definition)
        return (
            f"Probabilities of the account's state at {end}, for the window [{self.as_of}, {end}): churn = no ARR, "
            f"contraction and expansion = less or more ARR than at {self.as_of}{definitions}. {self._common()}"
        )

    def driver(self, outcome: str, horizon_months: int) -> str:
        """Definition of a row of account_driver or account_peers."""
        end = add_months(self.as_of, horizon_months)
        return (
            f"What the model attributes to the reason, of the difference between the account's probability of "
            f"{_EXPLAINED[outcome]} in [{self.as_of}, {end}) and the mean of its peers: accounts of its segment and "
            "third by ARR at the same place of the renewal calendar, or a wider group where they are fewer than "
            f"{FEWEST}; an association, not the effect of an action. {self._common()}"
        )

    def renewal(self, start: date, end: date) -> str:
        """Definition of a row of renewal_forecast, which holds the term ends in `[start, end)`."""
        part = "" if end == add_months(start.replace(day=1), 1) and start.day == 1 else ", a part of the month"
        return (
            f"Available to renew: ARR at {self.as_of} on lines whose term, as known then, ends in [{start}, {end})"
            f"{part}; renewed: what is left of it when the grace after the month has run out. Renewal rate = renewed / "
            f"available to renew; it is not NRR. {self._common()}"
        )

    def bridge(self, earlier: date, target: date) -> str:
        """Definition of a bridge from an earlier forecast to this one."""
        return (
            f"Expected ARR on {target} of the accounts with ARR at {earlier}: by the forecast as of {earlier} and by "
            f"that as of {self.as_of}. Each step is the forecast made anew with one thing more of the later one, by "
            "the same draws of what accounts share; what an account did counts against what was expected of the time "
            f"that has passed. Whole cents by account, which add up; {_REACTIVATION[self.reactivation]}; "
            f"{self.currency} a year at the rates of {earlier:%Y-%m} up to the last step."
        )

    def _common(self) -> str:
        return (
            f"Cohort of {self.as_of}; new accounts never count; {_REACTIVATION[self.reactivation]}; "
            f"{self.currency} a year at the rates of {self.as_of:%Y-%m}; "
            f"a term that ran out in silence stays active {counted(self.grace_days, 'day')}."
        )
