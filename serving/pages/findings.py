"""Sentences that answer a page's question with its number and its range: verdicts and titles of cards."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from features.revenue import add_months
from models.words import counted
from serving.pages.formats import day, level, percent, short, until, what_happened

Row = Mapping[str, Any]
SMALLEST_CHANGE = 0.01  # of NRR: less than a point is called no change
FEWEST_FORECASTS = 10  # of which something can be said of how often a range held


def end_of(as_of: str, months: int) -> str:
    """The month in which a window ends, as `January 2027`."""
    return add_months(date.fromisoformat(as_of), months).strftime("%B %Y")


def portfolio_verdict(nrr: Row, as_of: str) -> str:
    """What is expected to be kept, by when, and in which range."""
    return (
        f"We expect to keep {percent(nrr['mean'])} of today’s ARR by {end_of(as_of, nrr['horizon_months'])}, "
        f"with 4 chances in 5 of ending between {percent(nrr['p10'], 0)} and {percent(nrr['p90'], 0)}."
    )


def portfolio_lead(nrr: Row, ending: Row, currency: str) -> str:
    """The same in money."""
    return (
        f"{short(nrr['starting_arr'])} {currency} of ARR becomes {short(ending['mean'])} (80 % range "
        f"{short(ending['p10'])} to {short(ending['p90'])}). New customers are not counted."
    )


def book_verdict(csm: str, attention: int, first: Row | None, growth: int) -> str:
    """Whom to call first, and how many need a look."""
    grows = f" {counted(growth, 'account')} may grow." if growth else ""
    if first is None:
        return f"No account of {csm} stands above the risk of accounts like it and renews soon.{grows}"
    need = f"{counted(attention, 'account')} need{'s' if attention == 1 else ''} a look."
    return f"Call {first['name']} first. {need}{grows}"


def _moved(before: float, after: float) -> str:
    if abs(after - before) < SMALLEST_CHANGE:
        return "held"
    return "rose" if after > before else "fell"


def trailing_title(realised: Sequence[Row], ahead: Sequence[Row]) -> str:
    """How trailing NRR went over the year, and where it should go."""
    now, last = realised[-1]["nrr"], ahead[-1]["mean"]
    to_come = {"held": "hold", "rose": "rise", "fell": "fall"}[_moved(now, last)]
    should = f"should {to_come} {'there' if to_come == 'hold' else f'to {percent(last, 0)}'}"
    if len(realised) <= 12:
        return f"NRR of the last twelve months is {percent(now, 0)} and {should}"
    before = realised[-13]["nrr"]
    how = _moved(before, now)
    past = f"held at {percent(now, 0)}" if how == "held" else f"{how} from {percent(before, 0)} to {percent(now, 0)}"
    return f"NRR {past} in a year, and {should}"


def waterfall_title(gains: float, losses: float) -> str:
    """Whether growth makes up for losses."""
    if losses > gains:
        return f"Losses of {short(losses)} should exceed growth of {short(gains)}"
    return f"Growth of {short(gains)} should more than replace {short(losses)} of losses"


def change_title(change: Row | None) -> str:
    """What happened to the forecast since the last official one."""
    if change is None:
        return "No earlier official forecast to compare with yet"
    moved = change["end"] - change["start"]
    if round(moved) == 0:
        return f"The forecast stands where it stood on {day(change['from_as_of'])}"
    way = "higher" if moved > 0 else "lower"
    return f"{short(abs(moved))} {way} than the forecast of {day(change['from_as_of'])}"


def record_title(origins: Sequence[Row]) -> str:
    """How often the 80 % range held, or that there are too few forecasts to say."""
    if not origins:
        return "No past forecast can be checked yet"
    held = sum(row["p10"] <= row["actual"] <= row["p90"] for row in origins)
    few = len(origins) < FEWEST_FORECASTS
    told = f"The 80 % range held in {held} of {counted(len(origins), 'past forecast')}"
    return f"Too few forecast dates to judge: {told[0].lower()}{told[1:]}" if few else told


def renewals_title(renewals: Sequence[Row]) -> str:
    """Which month decides."""
    if not renewals:
        return "No term that is known ends within the horizon"
    most = max(renewals, key=lambda row: row["available_to_renew"])
    total = sum(row["available_to_renew"] for row in renewals)
    month = date.fromisoformat(str(most["month"])[:10]).strftime("%B %Y")
    return f"{short(total)} comes up for renewal; the largest month is {month} ({short(most['available_to_renew'])})"


def account_summary(detail: Row, as_of: str) -> str:
    """Where an account stands, why, and when it renews, in a few sentences; nothing that is not known of it."""
    peers, longest = detail["peers"]["churn"], detail["horizons"][-1]
    churn = longest["churn_probability"]
    ahead = counted(longest["horizon_months"], "month")
    sentences = [
        f"{level(churn).capitalize()} risk: {percent(churn, 0)} within {ahead}, "
        f"against {percent(peers['peer_probability'], 0)} of accounts like it."
    ]
    leading = sorted((r for r in detail["drivers"]["churn"] if r["leads"]), key=lambda r: r["display_rank"])
    raising = [what_happened(row["text"]) for row in leading if row["effect"] > 0][:2]
    lowering = [what_happened(row["text"]) for row in leading if row["effect"] < 0][:1]
    sentences += [f"What raises it: {'; '.join(raising)}." if raising else "Nothing it or we do raises it noticeably."]
    sentences += [f"What speaks for it: {lowering[0]}."] if lowering else []
    sentences.append(_renewal(detail["renews_on"], as_of))
    growth = longest["expansion_probability"]
    return " ".join([*sentences, f"Growth within {ahead}: {percent(growth, 0)} likely."])


def _renewal(renews_on: str | None, as_of: str) -> str:
    if renews_on is None:
        return "Its contract has no end date."
    if renews_on >= as_of:
        return f"It renews {until(renews_on, as_of)}, on {day(renews_on)}."
    return f"Its renewal is {until(renews_on, as_of)}, since {day(renews_on)}."
