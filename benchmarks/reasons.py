"""Whether printed reasons agree with themselves, and whether those that lead are of use.

    python -m benchmarks.reasons data other/data ...

Each folder holds what `holdfast publish` left. Every sentence of every account is read back from its printed text: the
value, what is typical of the peers, what it was earlier, and whether it is said to raise or to lower the probability.
"""

import argparse
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measure import markdown
from features.families.catalogue import FEATURES
from serving.publication import publication_file
from serving.publication.account_filter import AccountFilter, conditions_of
from serving.publication.reader import Published

SENTENCE = re.compile(r"(Raises|Lowers) (?:churn risk|the chance of expansion) by (less than 0\.1|[\d.]+) points: (.+)")
TYPICAL = re.compile(r"typical of its peers: ([^;)]+)")
EARLIER = re.compile(r"([^;(]+) as of \d{4}-\d\d-\d\d")
UNUSUAL = re.compile(r"unusual: more of it mostly (raises|lowers) it")
NUMBER = re.compile(r"-?[\d,]*\.?\d+")
EXPECTED = {feature.name: float(feature.expected) for feature in FEATURES}
SLOTS = {feature.name: feature.sentence.partition("{value}") for feature in FEATURES}
ABOVE_PEERS = 0.02
TOP = 20
USEFUL = re.compile(r"Raises churn risk by [\d.]+ points: .*\d")


@dataclass(frozen=True)
class Check:
    """A way in which sentences can contradict themselves, and which rows do."""

    what: str
    rows: pd.Series


def figure(text: str) -> float:
    """A printed figure as a number: `1,234`, `45.6%`, `USD 7`, `yes`; NaN where there is none."""
    if text.strip() in ("yes", "no"):
        return float(text.strip() == "yes")
    digits = NUMBER.search(text.replace("\N{MINUS SIGN}", "-"))
    return float(digits[0].replace(",", "")) if digits else float("nan")


def printed(drivers: pd.DataFrame) -> pd.DataFrame:
    """What each sentence says, read back from its text alone.

    Returns
    -------
    DataFrame
        The rows of `drivers` with `way` (1 raises, -1 lowers), `points`, `now`, `typical`, `earlier` (NaN where they
        are not said) and `unusual_way` (what more of it is said mostly to do, 0 where nothing is).
    """
    read = drivers["text"].str.extract(SENTENCE)
    what = read[2].fillna("")
    values = [_value_in(text, feature) for text, feature in zip(what, drivers["feature"], strict=True)]
    return drivers.assign(
        way=read[0].map({"Raises": 1, "Lowers": -1}),
        points=pd.to_numeric(read[1].str.replace("less than 0.1", "0.05"), errors="coerce"),
        now=values,
        typical=_figures(what, TYPICAL),
        earlier=_figures(what, EARLIER),
        unusual_way=what.str.extract(UNUSUAL)[0].map({"raises": 1, "lowers": -1}).fillna(0),
    )


def contradictions(rows: pd.DataFrame) -> list[Check]:
    """The sentences that contradict themselves, what is declared, or each other; `rows` are those of `printed`."""
    compared, past = rows["typical"].notna(), rows["earlier"].notna()
    more, grown = _sign(rows["now"] - rows["typical"]), _sign(rows["now"] - rows["earlier"])
    is_unusual = rows["unusual_way"] != 0
    declared = rows["feature"].map(EXPECTED).fillna(0).where(rows["outcome"] == "churn", 0)
    ways = _ways(rows, rows["way"] * more, compared & ~is_unusual)
    rule = declared.where(declared != 0, ways)
    return [
        Check("cannot be read back", rows["way"].isna() | ((compared | past) & rows["now"].isna())),
        Check("sign or size of the points is not the effect's", ~_says_the_effect(rows)),
        Check("value and typical value read the same", compared & (more == 0)),
        Check("value and earlier value read the same", past & (grown == 0)),
        Check("acts against what is declared, and does not say so",
              compared & ~is_unusual & (declared != 0) & (declared * more != rows["way"])),
        Check("acts one way here and the other way there", compared & ~is_unusual & (rule * more != rows["way"])),
        Check("is called unusual and is not", compared & is_unusual & (rows["unusual_way"] * more == rows["way"])),
        Check("is told with a past that speaks for the contrary",
              past & ~is_unusual & (rule != 0) & (rule * grown != rows["way"])),
        Check("is unusual, and leads", is_unusual & (rows["leads"] == 1)),
    ]  # fmt: skip


def _value_in(text: str, feature: str) -> float:
    """The value in a sentence: the figure where the feature's sentence has one, before any bracket of comparisons."""
    before, slot, _ = SLOTS.get(feature, ("", "", ""))
    phrase = text[len(before) :] if slot and text.startswith(before) else text
    told = re.split(r" \((?=[^()]*(?:typical of its peers| as of \d{4}|a customer for))", phrase)[0]
    if "any other account" in told:
        return 0.0
    if "nearly all other accounts" in told or "all other accounts" in told:
        return 100.0 if "nearly" not in told else 99.99
    return 0.01 if "very few other accounts" in told else figure(told if slot else "")


def _figures(texts: "pd.Series[str]", pattern: re.Pattern[str]) -> "pd.Series[float]":
    return texts.str.extract(pattern)[0].map(figure, na_action="ignore").astype(float)


def _sign(values: "pd.Series[float]") -> "pd.Series[int]":
    return (values > 0).astype(int) - (values < 0).astype(int)


def _says_the_effect(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Whether the points that are printed are those of the effect, with its sign."""
    points = 100 * rows["effect"]
    small = (rows["points"] == 0.05) & (points.abs() <= 0.1)  # said as less than 0.1
    near = (rows["points"] - points.abs()).abs() <= 0.0501
    return (small | near) & ((points > 0) == (rows["way"] > 0))


def _ways(rows: pd.DataFrame, acts: "pd.Series[float]", kept: "pd.Series[bool]") -> "pd.Series[float]":
    """What more of each input does in most sentences of an outcome, 0 where none says."""
    keys = [rows["outcome"], rows["feature"]]
    return _sign(acts.where(kept, 0).fillna(0).groupby(keys).transform("sum")).astype(float)


@dataclass(frozen=True)
class Use:
    """Of what use the top reasons of accounts well above their peers are, and what the default list begins with."""

    above_peers: int
    useful: int
    invented: int
    listed: int
    below_peers: int


def use_of(file: Path) -> Use:
    """What a publication's top reasons and its default list are worth."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        accounts = pd.read_sql("SELECT account_id, above_peers, top_reason FROM account", db)
        as_of, horizon = (db.execute(sql).fetchone()[0] for sql in (
            "SELECT max(as_of) FROM published", "SELECT max(horizon_months) FROM horizon"))  # fmt: skip
        until = (pd.Timestamp(as_of) + pd.Timedelta(days=90)).date().isoformat()
        where, values = conditions_of(AccountFilter(horizon, attention_until=until))
        listed = db.execute(
            "SELECT a.above_peers FROM account a JOIN horizon h USING (number) WHERE "
            f"{' AND '.join(where)} ORDER BY a.arr_above_peers DESC LIMIT {TOP}", values,
        ).fetchall()  # fmt: skip
    above = accounts[accounts["above_peers"] >= ABOVE_PEERS]
    is_useful = above["top_reason"].str.match(USEFUL)
    is_plain = above["top_reason"].str.startswith("Nothing unusual; ")
    return Use(len(above), int(is_useful.sum()), int((~is_useful & ~is_plain).sum()), len(listed),
               sum(row[0] < 0 for row in listed))  # fmt: skip


def published_reasons(file: Path) -> pd.DataFrame:
    """All reasons of a publication, as its pages and its API tell them."""
    with Published(file) as published:
        accounts = [published.account(account, None) or {} for account in published.directory(None)]
    rows = [
        {"account_id": account["account_id"], "outcome": outcome, **reason}
        for account in accounts
        for outcome, reasons in account["drivers"].items()
        for reason in reasons
    ]
    return pd.DataFrame(rows)


def row_of(folder: Path) -> dict[str, Any]:
    """A company's figures, as a row of the table."""
    file = publication_file.newest(publication_file.folder_of(folder))
    rows = printed(published_reasons(file))
    wrong = contradictions(rows)
    for check in wrong:
        for text in rows.loc[check.rows, "text"].head(3):
            print(f"  {folder.name}, {check.what}: {text}")
    use = use_of(file)
    return {
        "company": folder.name,
        "accounts": rows["account_id"].nunique(),
        "sentences": len(rows),
        "with a comparison": int((rows["typical"].notna() | rows["earlier"].notna()).sum()),
        "contradictions": int(sum(check.rows.sum() for check in wrong)),
        "2 points above peers": use.above_peers,
        "useful top reason": f"{use.useful} ({use.useful / max(use.above_peers, 1):.1%})",
        "neither useful nor plain": use.invented,
        f"top {TOP} below peers": f"{use.below_peers} of {use.listed}",
    }


def main(show: Callable[[str], None] = print) -> None:
    """Print a row a company; ends with 1 where one contradicts itself."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reasons", description=__doc__)
    parser.add_argument("data", type=Path, nargs="+", help="data folders of published companies")
    table = [row_of(folder.resolve()) for folder in parser.parse_args().data]
    show(markdown("Printed reasons", table, "Every account and feature, churn and expansion."))
    raise SystemExit(1 if any(row["contradictions"] for row in table) else 0)


if __name__ == "__main__":
    main()
