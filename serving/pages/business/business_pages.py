"""What the pages about the business show, as plain values: KPIs, cohorts, books, watch, scenarios, behaviours."""

from collections.abc import Iterable, Mapping, Sequence

from models.watch.verdict import VERDICT_WORDS
from models.words import counted
from serving.access.tokens import Caller
from serving.desk import business
from serving.desk.business import Whose
from serving.pages.business.kpi_words import GROUPS, in_words, kpi_figure, kpi_title
from serving.pages.formats import percent
from serving.pages.views import Row, head
from serving.publication.reader import Published

FIGURES = {"nrr": "NRR", "grr": "GRR", "logo_retention": "Customers kept"}
COHORTS_SHOWN, AGES_SHOWN = 16, 12  # the newest, and quarters
YEAR = 4  # quarters
ENOUGH = 20  # accounts, for a sentence or a point of the curve
INPUTS_SHOWN = 15
LUCK = 0.2  # of the books end outside of an 80 % range by luck
LADDER = (
    ("leave", "Leave the model alone", "Nothing is wrong with it, or the market moved: the level follows with the next "
     "training. Data that look wrong are mended first."),
    ("go back", "Go back a version", "It learned less than two months ago, and the version before it was nearer to "
     "what happened since."),
    ("wait", "Wait", "It was trained less than a month ago: a new one would have learned the same."),
    ("train", "Train again", "The usual contest decides whether the new version is better."),
    ("tune", "Search its settings", "It was trained out of turn not long ago and is wrong again."),
)  # fmt: skip
Rows = Sequence[Row]
_QUARTERS = 8  # of bad fit sold, on the page


def kpis(published: Published, caller: Caller) -> Row:
    """The KPIs of the company, or of a caller's book, in groups."""
    content = business.kpis(published, caller)
    cut = "total" if caller.csm is None else "csm"
    rows = [row for row in content["rows"] if row["cut"] == cut]
    days = sorted({row["as_of"] for row in rows})
    shown = {} if not days else {row["kpi"]: row for row in rows if row["as_of"] == days[-1]}
    past = {(row["kpi"], row["as_of"]): row for row in rows}
    of = [_kpi(name, row, [past.get((name, when)) for when in days], content) for name, row in shown.items()]
    groups = [(title, [row for row in of if row["kpi"] in names]) for title, names in GROUPS.items()]
    known = {name for names in GROUPS.values() for name in names}
    groups.append(("Others", [row for row in of if row["kpi"] not in known]))
    told = {"title": "KPIs", "groups": [group for group in groups if group[1]], "days": days, "kpis": content}
    return {**head(published), **told, "answer": _kpi_answer(of, content), "tiers": _tiers(content, days)}


def _kpi(name: str, row: Row, past: Sequence[Row | None], content: Row) -> Row:
    figures = [None if one is None else one["figure"] for one in past]
    return {
        **row,
        "title": kpi_title(name),
        "shown": kpi_figure(row),
        "aim": None if row["target"] is None else kpi_figure(row | {"figure": row["target"]}),
        "moved": row["target"] is not None and row["target"] != row["first_target"],
        "past": ["–" if one is None else kpi_figure(one) for one in past],
        "figures": figures,
        "definition": in_words(content["definitions"].get(name, "")),
    }


def _kpi_answer(rows: Rows, content: Row) -> str:
    if content["lacking"] or not rows:
        return "There are no KPIs to show"
    aims = [row for row in rows if row["reached"] is not None]
    missed = [row["title"] for row in aims if not row["reached"]]
    if not aims:
        nrr = next((row["shown"] for row in rows if row["kpi"] == "nrr"), None)
        return f"NRR of the last {content['months']} months was {nrr}; no target is set" if nrr else "No target is set"
    if not missed:
        return {1: "The one target was reached", 2: "Both targets were reached"}.get(
            len(aims), f"All {len(aims)} targets were reached"
        )
    return f"{len(aims) - len(missed)} of {counted(len(aims), 'target')} reached; missed: {', '.join(missed)}"


def _tiers(content: Row, days: Sequence[str]) -> list[Row]:
    """Touches in time by touch tier, of the newest date."""
    rows = [row for row in content["rows"] if row["cut"] == "touch_model" and row["as_of"] == (days or [""])[-1]]
    return [{**row, "shown": kpi_figure(row)} for row in rows]


def cohorts(published: Published, caller: Caller, figure: str) -> Row:
    """The triangle of one figure: the newest cohorts down, ages across; and the curve of all together."""
    content, figure = business.cohorts(published, caller), figure if figure in FIGURES else "nrr"
    by_cohort: dict[str, list[Row]] = {}
    for row in content["rows"]:
        by_cohort.setdefault(row["cohort"], []).append(row)
    ahead: dict[str, list[Row]] = {}
    for row in content["ahead"]:
        ahead.setdefault(row["cohort"], []).append(row)
    newest = dict(list(by_cohort.items())[-COHORTS_SHOWN:])
    whole = {name: [*rows, *ahead.get(name, [])][: AGES_SHOWN + 1] for name, rows in newest.items()}
    cells = [row[figure] for rows in whole.values() for row in rows]
    curve = _by_age(content["rows"], figure)
    return {
        **head(published),
        "title": "Cohorts",
        "cohorts": content,
        "figure": figure,
        "figures": FIGURES,
        "triangle": {name: whole[name] for name in reversed(whole)},
        "actual": {name: len(rows) for name, rows in newest.items()},
        "is_completed": bool(ahead),
        "ahead_said": _ahead_words(list(newest), ahead, figure),
        "ages": range(max((len(rows) for rows in whole.values()), default=0)),
        "hidden": len(by_cohort) - len(newest),
        "low": min(cells, default=0.0),
        "high": max(cells, default=1.0),
        "curve": curve,
        "answer": _cohort_answer(curve, figure),
    }


def _ahead_words(newest: Sequence[str], ahead: Mapping[str, Rows], figure: str) -> str:
    """What becomes of the newest cohort that will be a year old within the forecast."""
    a_year_old = [row for name in newest for row in ahead.get(name, []) if row["age_quarters"] == YEAR]
    if not a_year_old:
        return ""
    row = a_year_old[-1]
    low, high = (percent(row[f"{figure}_{end}"], 0) for end in ("low", "high"))
    what = f"{percent(row[figure], 0)} ({low} to {high}, 80 %)"
    kept = figure == "logo_retention"
    told = f"{what} are expected to be customers still" if kept else f"{FIGURES[figure]} is expected to be {what}"
    return f"Of the accounts that began in {row['cohort']}, {told} once they are a year old."


def _by_age(rows: Rows, figure: str) -> list[Row]:
    """All cohorts of an age together, as far as there are enough accounts: by ARR, or by number."""
    curve: list[Row] = []
    for age in range(AGES_SHOWN + 1):
        here = [row for row in rows if row["age_quarters"] == age]
        weights = [row["accounts"] if figure == "logo_retention" else row["starting_arr"] for row in here]
        accounts = sum(row["accounts"] for row in here)
        if accounts < ENOUGH or not sum(weights):
            break
        share = sum(row[figure] * weight for row, weight in zip(here, weights, strict=True)) / sum(weights)
        curve.append({"age": age, "share": share, "accounts": accounts, "cohorts": len(here)})
    return curve


def _cohort_answer(curve: Rows, figure: str) -> str:
    if len(curve) < 2:
        return "Too few accounts are old enough to say what became of them"
    at = curve[min(YEAR, len(curve) - 1)]
    when = "a year" if at["age"] == YEAR else counted(at["age"], "quarter")
    what = {"nrr": f"accounts paid {percent(at['share'], 0)} of their first ARR",
            "grr": f"{percent(at['share'], 0)} of their first ARR was still there",
            "logo_retention": f"{percent(at['share'], 0)} were still customers"}[figure]  # fmt: skip
    return f"{when[:1].upper()}{when[1:]} after the start, {what}"


def scorecards(published: Published, caller: Caller, by: Whose) -> Row:
    """Books beside what they were expected to do, those that stand out first."""
    content = business.scorecards(published, caller, by)
    order = {"below": 0, "above": 1, "as expected": 2}
    rows = sorted(content["rows"], key=lambda row: (order.get(row["verdict"], 3), row["person"]))
    ends = [row[name] for row in rows for name in ("low", "high", "actual")]
    told = {"title": "Scorecards", "by": by, "cards": content, "rows": rows, "low": min(ends, default=0.0),
            "high": max(ends, default=1.0), "answer": _books_answer(rows), "by_luck": round(LUCK * len(rows)),
            "outside": sum(not row["low"] <= row["actual"] <= row["high"] for row in rows)}  # fmt: skip
    return {**head(published), **told}


def _books_answer(rows: Rows) -> str:
    if not rows:
        return "No book can be held against what was expected of it yet"
    out = [row for row in rows if row["verdict"] in ("above", "below")]
    told = [row for row in rows if row["verdict"] != "too little to tell"]
    if not told:
        return "Too little is known yet to say of any book that it did better or worse than expected"
    if not out:
        return f"No book stands out: {counted(len(told), 'book')} did as expected"
    names = ", ".join(f"{row['person']} {row['verdict']}" for row in out)
    return f"{len(out)} of {counted(len(told), 'book')} stand out from what was expected: {names}"


def watch(published: Published, caller: Caller) -> Row:
    """What the watch found, what it means, and the rung of the ladder that helps."""
    content = business.watch(published, caller)
    inputs = content["inputs"]["rows"]
    return {
        **head(published),
        "title": "Watch",
        "watch": content,
        "answer": VERDICT_WORDS.get(content["verdict"], "Nobody has looked at the model yet"),
        "alarms": [row for row in content["data"] if row["alarm"]],
        "inputs": sorted(inputs, key=lambda row: (not row["moved"], -(row["weight"] or 0.0)))[:INPUTS_SHOWN],
        "input_count": len(inputs),
        "ladder": LADDER,
        "rung": content["ladder"].get("action", ""),
    }


def scenarios(published: Published, caller: Caller) -> Row:
    """The presets beside the forecast: what NRR would be, and by how much that differs."""
    business.require_whole(caller, "Scenarios are")
    presets = list(published.about["scenarios"].values())
    ends = [end for one in presets for end in (one["scenario"]["p10"], one["scenario"]["p90"])]
    return {
        **head(published),
        "title": "Scenarios",
        "presets": presets,
        "low": min(ends, default=0.0),
        "high": max(ends, default=1.0),
        "answer": _scenario_answer(presets),
    }


def _scenario_answer(presets: Rows) -> str:
    others = [one for one in presets if one["scenario"]["name"] != "base"]
    if not others:
        return "No scenario was published"
    worst = min(others, key=lambda one: one["scenario"]["mean"])
    best = max(others, key=lambda one: one["scenario"]["mean"])
    base = percent(worst["base"]["mean"], 0)
    return (
        f"NRR of {base} would be {percent(worst['scenario']['mean'], 0)} in the scenario “{worst['scenario']['name']}” "
        f"and {percent(best['scenario']['mean'], 0)} in “{best['scenario']['name']}”"
    )


def behaviours(published: Published, caller: Caller) -> Row:
    """What goes with staying, who is behind, and which accounts kept their ARR by what was known at signing."""
    content = business.behaviours(published, caller)
    rows = [row for row in content["rows"] if row["segment"] == "all"]
    fit = business.ideal_customer(published, caller) if caller.csm is None else None
    told = {"title": "Behaviours", "told": content, "rows": sorted(rows, key=lambda row: row["p_value"]), "fit": fit}
    return {**head(published), **told, "answer": _behaviour_answer(rows, content, caller), "fits": _fits(fit),
            "bad_fit": _bad_fit(fit)}  # fmt: skip


def _behaviour_answer(rows: Rows, content: Row, caller: Caller) -> str:
    behind = len({row["account_id"] for row in content["behind"]})
    if caller.csm is not None:
        whose = f"young account{'s' if behind != 1 else ''} of yours"
        return f"{behind or 'No'} {whose} ha{'ve' if behind != 1 else 's'} yet to do what goes with staying"
    if not rows:
        return "What customers who stay do differently cannot be told yet"
    confirmed = [row["behaviour"] for row in rows if row["confirmed"]]
    if not confirmed:
        return f"None of {len(rows)} behaviours tried goes with staying so clearly that it could not be luck"
    return f"{len(confirmed)} of {len(rows)} behaviours go with staying: {', '.join(confirmed)}"


def _bad_fit(fit: Row | None) -> dict[str, Rows]:
    """Bad fit sold: by the newest quarters, and of all quarters by source and seller."""
    sold = (fit or {}).get("sold", [])
    quarters = [row for row in sold if row["cut"] == "total" and row["quarter"] != "all"]
    tables = {"Quarter": quarters[: -_QUARTERS - 1 : -1]}
    for cut, title in (("source", "Source"), ("seller", "Seller")):
        tables[title] = [row for row in sold if row["cut"] == cut and row["quarter"] == "all"]
    return {title: rows for title, rows in tables.items() if rows}


def _fits(fit: Row | None) -> dict[str, Rows]:
    """What was known at signing, a table an attribute; the clear ones first in each."""
    order = {"good": 0, "bad": 1}
    names: Iterable[str] = dict.fromkeys(row["attribute"] for row in (fit or {}).get("rows", []))
    return {
        name: sorted(
            (row for row in (fit or {})["rows"] if row["attribute"] == name),
            key=lambda row: (order.get(row["proposed_fit"], 2), -row["grr"]),
        )
        for name in names
    }
