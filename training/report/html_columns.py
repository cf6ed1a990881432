"""Which columns of the backtest's tables its page shows, under which heads, and what they mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.words import signed_percent

_text = "{}".format
_whole = "{:,.0f}".format
_one = "{:.1f}".format
_two = "{:.2f}".format
_signed = "{:+.1f}".format
_four = "{:.4f}".format
_percent = "{:.0%}".format
_percent_one = "{:.1%}".format


def _mark(value: bool) -> str:
    return "few" if value else ""


@dataclass(frozen=True)
class Column:
    """A column of a table in the page: its key, head, meaning (empty: plain), and how a value is written."""

    key: str
    head: str
    meaning: str = ""
    form: Callable[[Any], str] = _text

    def cell(self, value: Any) -> str:
        """The value as text; a dash where there is none."""
        return "–" if value is None or value != value else self.form(value)

    @property
    def is_text(self) -> bool:
        """Whether the column holds words, which stand to the left."""
        return self.form in (_text, _mark)


_HORIZON = Column("horizon_months", "months", "Months ahead of the forecast date", _whole)
_ORIGINS = Column("origins", "forecast dates", "Past dates forecast from", _whole)
_WINDOWS = Column("windows_apart", "windows", "How many of their windows fit beside each other without overlap", _whole)
_ERRORS = (
    Column("model_error", "error", "Mean absolute error, points", _one),
    Column("model_bias", "bias", "Mean of forecast less actual, points", _signed),
    Column(
        "model_crps", "CRPS", "Continuous ranked probability score, points: the error of the whole distribution", _two
    ),
)
_INTERVALS = (
    *(
        Column(f"coverage_{share}", f"in {share} %", meaning, _percent)
        for share, meaning in (
            (50, "Share of forecast dates whose actual lay inside the interval; 50 % should, and so 80 and 90 %"),
            (80, ""),
            (90, ""),
        )
    ),
    *(
        Column(f"width_{share}", f"width {share} %", meaning, _one)
        for share, meaning in ((50, "Mean width of the interval, points; so 80 and 90 %"), (80, ""), (90, ""))
    ),
)
_PREDICTED = (
    Column("rows", "rows", "Accounts times forecast dates", _whole),
    Column("events", "actual", "Rows that had the outcome", _whole),
    Column("mean_predicted", "predicted", "Mean probability", _percent_one),
    Column("mean_observed", "observed", "Share that had it", _percent_one),
)
_CUT = (Column("cut", "cut"), Column("value", "value"))
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "portfolio": (Column("metric", "metric"), _HORIZON, _ORIGINS, _WINDOWS, *_ERRORS, *_INTERVALS),
    "portfolio_by_cut": (
        *_CUT,
        Column("metric", "metric"),
        _HORIZON,
        _ORIGINS,
        Column("accounts", "accounts", "Mean number of accounts at a forecast date", _whole),
        *_ERRORS,
        *_INTERVALS,
    ),
    "skill": (
        Column("outcome", "forecast"),
        _HORIZON,
        Column("label", "baseline"),
        Column("model_loss", "model", "The model's loss: log-loss in nats an account; CRPS as a share of ARR", _four),
        Column("rival_loss", "baseline's", "The baseline's loss, in the same unit", _four),
        Column("skill", "skill", "1 - model / baseline; above 0 the model is better", signed_percent),
        Column("low", "from", "Lower end of the 90 % interval", signed_percent),
        Column("high", "to", "Upper end of the 90 % interval", signed_percent),
        _WINDOWS,
        Column(
            "finding",
            "finding",
            "Whether the whole interval lies on one side of 0; too few events: fewer than ten accounts had it",
        ),
    ),
    "scores": (
        Column("outcome", "outcome"),
        _HORIZON,
        *_PREDICTED,
        Column("accounts", "accounts", "Accounts that had it; a row is an account at one forecast date", _whole),
        Column(
            "finding",
            "finding",
            "skill: the log-loss beats the base rate's and the AUC lies above 0.5, both beyond chance; too few events: "
            "fewer than ten accounts had it",
        ),
        Column("log_loss", "log-loss", "Mean negative log-likelihood, nats; smaller is better", _four),
        Column("base_log_loss", "of base rate", "Log-loss of the rate known at the forecast date", _four),
        Column("brier", "Brier", "Mean squared error of the probabilities", _four),
        Column("auc", "AUC", "Chance that one that had it was given the higher probability; 0.5 is none", _two),
        Column("calibration_slope", "slope", "Of a logistic regression on the predicted log-odds; 1 is perfect", _two),
        Column("calibration_intercept", "intercept", "Of the same; 0 is perfect", _two),
        Column(
            "calibration_error", "cal. error", "Mean gap of predicted and observed share over ten bins", _percent_one
        ),
        Column(
            "calibration_floor",
            "by chance",
            "The calibration error that a perfectly calibrated forecast of the same probabilities shows by chance",
            _percent_one,
        ),
        Column("calibration_floor_high", "1 in 20", "What only one in twenty such forecasts exceeds", _percent_one),
    ),
    "scores_by_cut": (
        *_CUT,
        Column("outcome", "outcome"),
        _HORIZON,
        *_PREDICTED,
        Column("log_loss", "log-loss", "Mean negative log-likelihood, nats", _four),
        Column("base_log_loss", "of base rate", "Log-loss of the portfolio's rate known at the forecast date", _four),
        Column("brier", "Brier", "Mean squared error of the probabilities", _four),
        Column("auc", "AUC", "0.5 is no better than any order", _two),
        Column("few", "note", "few: fewer than ten accounts had it, so that the row says little", _mark),
    ),
    "cross_sells": (
        _HORIZON,
        Column("rows", "rows", "Accounts times forecast dates", _whole),
        Column("expected", "expected", "Sum of their chances of at least one cross-sell", _one),
        Column("came", "actual", "Those with at least one", _whole),
        Column("ratio", "expected / actual", "1 is calibrated", _two),
    ),
    "bias": (
        *_CUT,
        Column("outcome", "outcome"),
        Column("rows", "rows", "Accounts times months ahead, each calendar month counted once", _whole),
        Column("expected", "expected", "Events expected among those that were there at the month's start", _one),
        Column("seen", "actual", "Actual events", _one),
        Column("ratio", "expected / actual", "1 is calibrated", _two),
        Column(
            "deviation", "deviations", "Expected less actual, in standard deviations were accounts independent", _signed
        ),
        Column("expected_arr", "ARR expected", "Change of ARR by these events", _whole),
        Column("seen_arr", "actual ARR", "The same of the actual events", _whole),
        Column("finding", "finding", "Too high or too low by more than three deviations and a tenth of the actual"),
    ),
    "capacity": (
        _HORIZON,
        Column("ranking", "who is called"),
        Column("called", "called", "Accounts called at a forecast date", _whole),
        Column("left", "left", "Accounts that left within the horizon", _one),
        Column("caught", "caught", "Of those, among the accounts called", _one),
        Column("share_caught", "share caught", "caught / left, mean over the forecast dates", _percent),
        Column("precision", "precision", "caught / called", _percent),
        Column("lift", "lift", "Precision over that of calling any account; 1 is none", _one),
        Column("arr_caught", "ARR caught", "ARR of those caught over the ARR of all who left", _percent),
    ),
}


def columns_of(table: str) -> tuple[Column, ...]:
    """The columns shown of a table."""
    return _COLUMNS[table]
