"""The first page: what it says of the portfolio to whoever sees all of it, and of their book to a CSM."""

from collections.abc import Sequence
from datetime import date

from features.revenue import add_months
from serving.access.sight import notes_for, sees_whole
from serving.access.tokens import Caller
from serving.desk.queries import GROWTH_AT_LEAST, BridgeQuery, attention_until, bridge_steps
from serving.forecast.declared.column import Place
from serving.forecast.declared.output_tables import CUT_METRICS, INTERVAL, METRIC_OF, RATIOS
from serving.forecast.declared.published_lists import ACCOUNTS, BRIDGE, RENEWALS
from serving.pages import findings
from serving.pages.formats import short
from serving.pages.views import Row, head, horizons
from serving.publication.account_filter import AccountFilter
from serving.publication.moves import END, START
from serving.publication.reader import Published, scope

MOST_VALUES = 12
MOST_FLAGS = 3
MOST_ACCOUNTS = 8
LISTED = ("attention", "growth", "plays")


def home(published: Published, caller: Caller, horizon: int) -> Row:
    """The first page as a caller sees it: the portfolio, or one book."""
    whole = scope(caller.csm)
    rows = published.nrr(**whole)
    by_metric = {metric: [row for row in rows if row["metric"] == metric] for metric in METRIC_OF}
    cards = [row for metric in METRIC_OF for row in by_metric[metric] if row["horizon_months"] == horizon]
    at = {row["metric"]: row for row in cards}
    lists = _lists(published, caller, horizon)
    return {
        **head(published),
        "title": "Home",
        "horizon": horizon,
        "horizons": horizons(published),
        "cards": cards,
        "ratios": RATIOS,
        "trailing": _trailing(published, caller, by_metric),
        "waterfall": _waterfall(at),
        "bridge": _bridge(published.bridge(caller.csm)),
        **_change(published, caller),
        **lists,
        **_verdict(published, caller, at, lists),
        **_renewals(published, whole),
        "terms": _terms(published, caller),
        **_of_the_whole(published, caller, horizon),
        "notes": notes_for(published.about, caller),
        "definitions": _definitions(published, cards),
    }


def _verdict(published: Published, caller: Caller, at: Row, lists: Row) -> Row:
    """The answer first: to whoever sees all what ARR will do, to a CSM whom to call."""
    about = published.about
    money = findings.portfolio_lead(at["nrr"], at["ending_arr"], about["currency"])
    nrr = findings.portfolio_verdict(at["nrr"], about["as_of"])
    if sees_whole(caller):
        return {"answer": nrr, "lead": money}
    first, count, growth = next(iter(lists["attention"]), None), lists["attention_count"], lists["growth_count"]
    return {"answer": findings.book_verdict(str(caller.csm), count, first, growth), "lead": f"{nrr} {money}"}


def _attention(published: Published, caller: Caller, horizon: int, limit: int = MOST_ACCOUNTS) -> AccountFilter:
    """Accounts above their peers' risk that renew soon or whose risk rose, those with the most ARR above it first."""
    until = attention_until(published)
    return AccountFilter(horizon, csm=caller.csm, attention_until=until, sort="arr_above_peers", limit=limit)


def _growth(caller: Caller, horizon: int) -> AccountFilter:
    """Accounts that may well grow and of which something speaks for it, the largest expected growth first."""
    return AccountFilter(horizon, csm=caller.csm, least_growth=GROWTH_AT_LEAST, sort="arr_growth", limit=MOST_ACCOUNTS)


def _lists(published: Published, caller: Caller, horizon: int) -> Row:
    attention, growth = _attention(published, caller, horizon), _growth(caller, horizon)
    return {
        "attention": published.rows(attention),
        "attention_count": published.totals(attention)["accounts"],
        "attention_columns": ACCOUNTS.laid_out(Place.AT_RISK),
        "growth": published.rows(growth),
        "growth_count": published.totals(growth)["accounts"],
    }


def _trailing(published: Published, caller: Caller, by_metric: Row) -> Row | None:
    """Realised trailing NRR and what is forecast of it; of the whole company alone, and where there is a past."""
    realised, ahead = published.about.get("trailing", []), by_metric["reported_nrr"]
    if not sees_whole(caller) or not realised or not ahead:
        return None
    grr = by_metric["grr"][-1] if by_metric["grr"] else None
    title = findings.trailing_title(realised, ahead)
    return {"title": title, "realised": realised, "ahead": ahead, "grr": grr}


def _waterfall(at: Row) -> Row:
    """From today's ARR to what is expected, with each step's 80 % interval."""
    nrr, ending = at["nrr"], at["ending_arr"]
    level = nrr["starting_arr"]
    steps: list[Row] = [{"name": "Today", "start": 0.0, "end": level, "css": "quiet", "amount": short(level)}]
    for metric, name, sign in (("churned_arr", "Churn", -1), ("contracted_arr", "Contraction", -1),
                               ("expanded_arr", "Expansion", 1)):  # fmt: skip
        step, start = at[metric], level
        level += sign * step["mean"]
        ends = sorted(start + sign * step[q] for q in INTERVAL[:2])
        steps.append(
            {"name": name, "start": start, "end": level, "css": "better" if sign > 0 else "worse", "figures": step,
             "amount": short(sign * step["mean"]), "low": ends[0], "high": ends[1]}
        )  # fmt: skip
    low, high = (ending[q] for q in INTERVAL[:2])
    steps.append({"name": f"In {nrr['horizon_months']} mo.", "start": 0.0, "end": ending["mean"], "css": "quiet",
                  "figures": ending, "amount": short(ending["mean"]), "low": low, "high": high})  # fmt: skip
    losses = at["churned_arr"]["mean"] + at["contracted_arr"]["mean"]
    return {"title": findings.waterfall_title(at["expanded_arr"]["mean"], losses), "steps": steps}


def _renewals(published: Published, whole: dict[str, str]) -> Row:
    rows = published.renewals(**whole)
    columns = RENEWALS.laid_out(Place.PAGE)
    return {"renewals": rows, "renewals_title": findings.renewals_title(rows), "renewal_columns": columns}


TERMS = {
    "monthly": "Monthly plans",
    "overdue": "Terms that are overdue",
    "ahead": "Terms that end within the months above",
    "later": "Terms that end later",
    "endless": "No end date",
}


def _terms(published: Published, caller: Caller) -> list[Row]:
    """ARR by kind of term: monthly plans apart, since they renew every month."""
    end = add_months(date.fromisoformat(published.about["as_of"]), published.horizon_months)
    kinds = published.terms(caller.csm, end.isoformat())
    return [{"title": title, **kinds[name]} for name, title in TERMS.items() if name in kinds]


def _of_the_whole(published: Published, caller: Caller, horizon: int) -> Row:
    """Red flags, cuts, and how past forecasts did: of these a book's own page has its flags alone."""
    flags = _flags(published, caller, horizon)
    origins = origins_of(published) if sees_whole(caller) else []
    return {
        "flags": flags,
        "cuts": _cuts(published, horizon, flags) if sees_whole(caller) else {},
        "cut_metrics": CUT_METRICS,
        "origins": origins,
        "record_title": findings.record_title(origins),
        "record_answer": published.about.get("track_record", {}).get("answer", []) if sees_whole(caller) else [],
    }


def origins_of(published: Published) -> list[Row]:
    """Forecasts of NRR at past dates over the longest horizon that was tested, with the actual figures."""
    rows = [row for row in published.about["model"].get("backtest", {}).get("forecasts", []) if row["metric"] == "nrr"]
    longest = max((row["horizon_months"] for row in rows), default=0)
    return [row for row in rows if row["horizon_months"] == longest]


def _definitions(published: Published, cards: Sequence[Row]) -> list[tuple[str, str]]:
    bridge = published.about["bridge"]
    return [
        *((row["metric"], row["definition"]) for row in cards if row["metric"] in RATIOS),
        ("renewals", published.about["renewal_definition"]),
        ("movements", published.about["movement_definition"]),
        *([("forecast change", bridge["definition"])] if bridge["target"] else []),
    ]


def _cuts(published: Published, horizon: int, flags: Sequence[Row]) -> dict[str, Row]:
    """Each cut's values with the most ARR, those with one of the page's red flags too, and the range of intervals."""
    flagged = {(row["cut"], row["value"]) for row in flags}
    cuts: dict[str, Row] = {}
    for cut in published.cuts:
        if cut != "total":
            every = [
                {**row, "flag": row["flag"] if (cut, row["value"]) in flagged else ""}
                for row in published.ratios(horizon, cut=cut)
            ]
            rows = every[:MOST_VALUES] + [row for row in every[MOST_VALUES:] if row["flag"]]
            low = min((row[INTERVAL.low] for row in rows), default=0.0)
            high = max((row[INTERVAL.high] for row in rows), default=1.0)
            cuts[cut] = {
                "rows": rows,
                "low": min(low, 0.98),
                "high": max(high, 1.02),
                "largest": min(MOST_VALUES, len(every)),
                "values": len(every),
            }
    return cuts


def _flags(published: Published, caller: Caller, horizon: int) -> list[Row]:
    """The red flags of a page: those of the most ARR among the whole and its parts; a book's own page names nobody."""
    rows = published.ratios(horizon, **({} if caller.csm is None else scope(caller.csm)))
    flagged = [{**row, "named": caller.csm is None and row["cut"] != "total"} for row in rows if row["flag"]]
    return flagged[:MOST_FLAGS]


def _bridge(rows: Sequence[Row]) -> Row:
    """The bridge's steps, each with where it begins and ends."""
    level, steps = 0.0, []
    for row in rows:
        if row["movement"] in (START, END):
            start, level = 0.0, row["amount"]
            css = "s1"
        else:
            start, level = level, level + row["amount"]
            css = "better" if row["amount"] >= 0 else "worse"
        steps.append({**row, "start": start, "end": level, "css": css})
    levels = [step["end"] for step in steps]
    return {"steps": steps, "low": _below(min(levels)), "high": max(levels)}


def _change(published: Published, caller: Caller) -> Row:
    """Why the forecast changed since the last official one: the steps that moved it; none where there was none."""
    about = published.about["bridge"]
    if not about["target"]:
        return {"change": None, "change_title": findings.change_title(None)}
    sums = bridge_steps(published, BridgeQuery(), caller)
    titles = {column.name: column.head for column in BRIDGE}
    level, steps = sums["start"], []
    for step in sums["steps"]:
        if step["amount"]:
            start, level = level, level + step["amount"]
            css = "better" if step["amount"] > 0 else "worse"
            steps.append({"title": titles[step["step"]], "amount": step["amount"], "start": start, "end": level,
                          "css": css})  # fmt: skip
    levels = [sums["start"], sums["end"], *(step["end"] for step in steps)]
    change = {**about, **sums, "steps": steps, "low": _below(min(levels)), "high": max(levels)}
    return {"change": change, "change_title": findings.change_title(change)}


def _below(amount: float) -> float:
    """Where a scale begins that shows steps between large amounts: a round number well below the smallest."""
    if amount <= 0:
        return 0.0
    size = 10.0 ** (len(f"{amount:.0f}") - 1)
    return float((0.8 * amount) // size * size)
