"""Why an account's expected ARR moved, in a sentence, from its largest step."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from models.paths.bridge import STEPS, Step
from serving.ledger.bridging.between import Between
from serving.ledger.bridging.made_of import by_account
from serving.ledger.subjects import ERASED

Row = dict[Hashable, Any]
_FACTS = {"notice_given": "notice has been given", "presigned": "its renewal is signed"}
_CENT = 0.005


class _Words(NamedTuple):
    """The dates that sentences name."""

    first: str
    second: str
    target: str


Sentence = Callable[[Row, _Words], str]


def reasons(between: Between) -> list[str]:
    """A sentence for each account, in their order; empty where nothing moved.

    Its realised churn, contraction, expansion and timing count as one.
    """
    words = _Words(between.first.as_of.isoformat(), between.second.as_of.isoformat(), between.target.isoformat())
    rows = between.accounts.assign(**_facts(between)).to_dict(orient="index")
    return [
        _sentence(step, dict(row), str(account), words) if step is not None else ""
        for step, (account, row) in zip(_largest(between), rows.items(), strict=True)
    ]


def _facts(between: Between) -> dict[str, "pd.Series[bool]"]:
    """Of each fact, of whom it is so by the second forecast and was not by the first."""
    then, now = between.first.ingredients, between.second.ingredients
    if then is None or now is None:
        return {}
    everyone = between.accounts.index
    return {
        fact: (by_account(now.snapshot[fact], everyone) > 0) & ~(by_account(then.snapshot[fact], everyone) > 0)
        for fact in _FACTS
        if fact in then.snapshot and fact in now.snapshot
    }


def _largest(between: Between) -> list[Step | None]:
    """The step of each account that moved most; of what was realised, its churn stands for all."""
    steps = pd.DataFrame(between.bridge.steps, columns=list(STEPS))
    realised = [Step.CHURN, Step.CONTRACTION, Step.EXPANSION, Step.TIMING]
    together = steps.drop(columns=realised).assign(**{Step.CHURN: steps[realised].sum(axis=1)})
    places = np.abs(together.to_numpy()).argmax(axis=1)
    moved = np.asarray(together.to_numpy().any(axis=1))
    return [Step(str(together.columns[place])) if any_ else None for place, any_ in zip(places, moved, strict=True)]


def _sentence(step: Step, row: Row, account: str, words: _Words) -> str:
    if row["gone"]:
        erased = account.startswith(ERASED)
        return "It was erased since." if erased else f"Its rows are no longer in the data of {words.second}."
    return _SENTENCES[step](row, words)


def _realised(row: Row, words: _Words) -> str:
    before, after = row["restated"], row["reached"]
    if after <= 0:
        left = "It is paused" if row["paused"] else "It left"
        return f"{left}: ARR {before:,.0f} on {words.first}, none on {words.second}."
    if abs(after - before) >= _CENT:
        verb = "grew" if after > before else "shrank"
        return f"It {verb}: ARR {before:,.0f} on {words.first}, {after:,.0f} on {words.second}."
    if row["overdue"]:
        return f"Its renewal is overdue and still open on {words.second}; some had been expected to be lost by then."
    what = "lost" if row["later"] > row["whole"] else "gained"
    return f"It stayed as it was, ARR {after:,.0f}; some had been expected to be {what} by {words.second}."


def _restated(row: Row, words: _Words) -> str:
    return f"Its ARR on {words.first} was restated from {row['start']:,.0f} to {row['restated']:,.0f}."


def _news(row: Row, words: _Words) -> str:
    facts = [text for name, text in _FACTS.items() if row.get(name)]
    because = f": {' and '.join(facts)}" if facts else ""
    return (
        f"What became known since{because}. Of its ARR {row['data']:.0%} is expected on {words.target}; by what was "
        f"known on {words.first} it was {row['later']:.0%}."
    )


def _share(before: str, after: str, what: str) -> Sentence:
    return lambda row, words: f"{what}: of its ARR {row[after]:.0%} is expected and not {row[before]:.0%}."


_SENTENCES: Mapping[Step, Sentence] = {
    Step.CHURN: _realised,
    Step.RESTATED: _restated,
    Step.NEWS: _news,
    Step.MARKET: _share("data", "market", "The market's level was estimated anew"),
    Step.RECALIBRATION: _share("market", "recalibration", "The model was calibrated anew"),
    Step.MODEL: _share("recalibration", "model", "The model was trained anew"),
    Step.RULES: lambda row, words: "Exchange rates or rules have changed.",
    Step.RECOMPUTED: lambda row, words: f"The forecast of {words.first}, computed again, comes out differently.",
    Step.UNSPLIT: lambda row, words: "What moved it cannot be told.",
    Step.COHORT: lambda row, words: f"It became a customer after {words.first}.",
    Step.WINDOW: lambda row, words: f"The window now ends on {words.target}.",
}
