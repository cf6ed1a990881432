"""The steps of a bridge between two forecasts, in words."""

from typing import NamedTuple

from models.paths.bridge import Step

ROLLING = (Step.COHORT, Step.WINDOW)


class StepWords(NamedTuple):
    """What people's tables call a step, and what it means."""

    title: str
    meaning: str


STEP_WORDS: dict[Step, StepWords] = {
    Step.RECOMPUTED: StepWords(
        "Computed again", "What the first forecast gives when it is computed again; 0 unless code or names have changed"
    ),
    Step.RESTATED: StepWords("Data restated", "ARR at the first date as it is known now, less as it was known then"),
    Step.CHURN: StepWords("Churn, actual less expected", "ARR that left since, less what was expected to leave"),
    Step.CONTRACTION: StepWords(
        "Contraction, actual less expected", "ARR lost since by who stayed, less what was expected"
    ),
    Step.EXPANSION: StepWords("Expansion, actual less expected", "ARR gained since, less what was expected"),
    Step.TIMING: StepWords(
        "Renewals still open", "Churn expected by now of accounts whose renewal is overdue and may still come"
    ),
    Step.NEWS: StepWords("News of accounts", "What became known of accounts since, by the old model"),
    Step.MARKET: StepWords("Market level", "The shift that all accounts share, as estimated by the new model"),
    Step.RECALIBRATION: StepWords("Recalibration", "The new model's calibration on what the old one tells"),
    Step.MODEL: StepWords("Model change", "The new model in place of the old one, level and calibration apart"),
    Step.RULES: StepWords("Rules or currency", "Exchange rates, rules of the arithmetic, and how futures are drawn"),
    Step.UNSPLIT: StepWords("Not split", "What cannot be told apart, since something it takes is not kept"),
    Step.COHORT: StepWords("Cohort changed", "Accounts that have become customers since"),
    Step.WINDOW: StepWords("Window moved", "From the first window's end to the second's"),
}
