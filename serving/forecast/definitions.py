"""What each figure means, as the sentence that goes with it wherever it is printed, exported or served."""

from dataclasses import dataclass
from datetime import date

from features.revenue import add_months
from models.words import counted

TRAILING_MONTHS = 12
_METRICS = {
    "nrr": "NRR: ARR at {end} of the accounts with ARR at {start}, over their ARR at {start}",
    "grr": "GRR: as NRR, each account capped at its ARR at {start}",
    "logo_retention": "Logo retention: share of the accounts with ARR at {start} that have ARR at {end}",
    "reported_nrr": "Reported NRR, trailing twelve months: ARR at {end} of the accounts with ARR at {year_before}, "
    "over their ARR at {year_before}; what came before {start} is realised, the rest forecast",
    "ending_arr": "ARR at {end} of the accounts with ARR at {start}",
    "churned_arr": "ARR at {start} of the accounts that have none at {end}",
    "contracted_arr": "ARR lost from {start} to {end} by accounts that stay with less",
    "expanded_arr": "ARR gained from {start} to {end} by accounts that end with more",
}
CROSS_SELL = (
    "ARR grows in some month of the window while more products or buying centres come to be paid for, whatever follows "
    "(empty where no contract tells products or buying centres)"
)
_EXPLAINED = {"churn": "leaving", "expansion": "expanding at least once, were it to stay,"}
_REACTIVATION = {
    "exclude": "an account that left and came back counts 0",
    "include": "a return counts once it has come; returns ahead are not simulated",
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
        return f"{_METRICS[name].format(**dates)}. {self._common()}"

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
        return (
            f"Probabilities of the account's state at {end}, for the window [{self.as_of}, {end}): churn = no ARR, "
            f"contraction and expansion = less or more ARR than at {self.as_of}; "
            f"cross-sell = {CROSS_SELL}; "
            f"ARR at risk = ARR x churn probability. {self._common()}"
        )

    def driver(self, outcome: str, horizon_months: int) -> str:
        """Definition of a row of account_driver."""
        end = add_months(self.as_of, horizon_months)
        return (
            f"What the model attributes to the reason, of the difference between the account's probability of "
            f"{_EXPLAINED[outcome]} in [{self.as_of}, {end}) and the mean over all accounts; an association, not the "
            f"effect of an action. {self._common()}"
        )

    def renewal(self, start: date, end: date) -> str:
        """Definition of a row of renewal_forecast, which holds the term ends in `[start, end)`."""
        part = "" if end == add_months(start.replace(day=1), 1) and start.day == 1 else ", a part of the month"
        return (
            f"Available to renew: ARR at {self.as_of} on lines whose term, as known then, ends in [{start}, {end})"
            f"{part}; renewed: what is left of it when the grace after the month has run out. Renewal rate = renewed / "
            f"available to renew; it is not NRR. {self._common()}"
        )

    def _common(self) -> str:
        return (
            f"Cohort of {self.as_of}; new accounts never count; {_REACTIVATION[self.reactivation]}; "
            f"{self.currency} a year at the rates of {self.as_of:%Y-%m}; "
            f"a term that ran out in silence stays active {counted(self.grace_days, 'day')}."
        )
