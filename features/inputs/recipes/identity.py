"""Whose rows are whose: joins the ids of several tools to one account each, by keys that both sides really share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from features.inputs.recipes.kit import Thing, account_part
from features.tables.sql import named, quoted

ENOUGH = 0.5  # a key that fewer of both sides share is no join, but a question
WORTH_SAYING = 0.02
KINDS = ("id", "email", "domain", "name")
FREE_MAIL = (
    *("gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "live.com", "aol.com"),
    *("proton.me", "protonmail.com", "gmx.de", "gmx.net", "web.de", "mail.com", "msn.com", "me.com", "qq.com"),
)
Keep = Callable[[str, str], None]
Rows = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Link:
    """How things of a kind were joined to accounts: by which keys, and how many of either side match."""

    kind: str
    to: str
    by: str
    key: str
    other_key: str
    share: float
    of_accounts: float
    several: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kind} = {self.to} by {self.by} ({self.key} = {self.other_key}): {self.share:.0%} of the first, "
            f"{self.of_accounts:.0%} of the second"
        )

    @property
    def confidence(self) -> float:
        """The larger of the two shares; a name is worth less than an id."""
        return round(max(self.share, self.of_accounts) * (0.7 if self.by == "name" else 1), 3)


@dataclass
class Identity:
    """The parts that give the account of each kind of id, and how they were found."""

    home: Thing
    parts: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


def resolve(things: Sequence[Thing], keep: Keep, rows: Rows) -> Identity:
    """Join all things to the accounts of the first, which are the business's customers.

    Parameters
    ----------
    things
        The kinds of things, those that bill first.
    keep
        Keeps what a query of the source gives as a table of a name.
    rows
        Runs a query on the tables that are kept.
    """
    home, *others = things
    for thing in things:
        keep(_kept(thing), thing.listing)
    identity = Identity(home, {home.kind: home.listing, account_part(home.kind): _own_ids(home)})
    resolved = [home]
    waiting = list(others)
    while waiting:
        links = {thing.kind: _best(thing, resolved, rows) for thing in waiting}
        thing = max(waiting, key=lambda thing: _rank(links[thing.kind]))
        waiting.remove(thing)
        link = links[thing.kind]
        if link is None or link.confidence < ENOUGH:
            identity.questions.append(_unjoined(thing, home, link))
            continue
        _join(identity, thing, next(known for known in resolved if known.kind == link.to), link, rows)
        resolved.append(thing)
    return identity


def _kept(thing: Thing) -> str:
    return f"thing_{thing.kind}"


def _own_ids(home: Thing) -> str:
    also = f"\nUNION SELECT customer_id, customer_id FROM {home.also}" if home.also else ""
    return f"SELECT id, id AS account_id FROM {{{home.kind}}}{also}"


def _rank(link: Link | None) -> tuple[float, float]:
    if link is None:
        return (-9.0, 0.0)
    return (float(link.confidence >= ENOUGH) * 10 - KINDS.index(link.by if link.by in KINDS else "id"), link.confidence)


def _best(thing: Thing, resolved: Sequence[Thing], rows: Rows) -> Link | None:
    """The join of a thing with those that are joined already; by ids first, then by what else most of them share."""
    links = [link for known in resolved for link in _links(thing, known, rows)]
    return max(links, key=_rank, default=None)


def _links(thing: Thing, known: Thing, rows: Rows) -> list[Link]:
    """Every pair of keys that some rows of both share."""
    links = []
    for column, kind in thing.within.items():
        if kind == known.kind:
            links += _link(thing, known, "id", column, "id", rows)
    if thing.within and any(link.confidence >= ENOUGH for link in links):
        return links
    for key, by in thing.keys.items():
        for other_key, other_by in known.keys.items():
            common = by if by == other_by else "domain" if {by, other_by} == {"email", "domain"} else ""
            if common:
                links += _link(thing, known, common, key, other_key, rows)
            if by == other_by == "email" and known.is_account:
                links += _link(thing, known, "domain", key, other_key, rows)
    return links


def _link(thing: Thing, known: Thing, by: str, key: str, other_key: str, rows: Rows) -> list[Link]:
    left, right = _key(by, f"t.{named(key)}"), _key(by, f"k.{named(other_key)}")
    guard = ""
    if by == "id" and key == other_key == "id":  # short numbers of two tools agree by chance
        guard = f" AND NOT regexp_full_match({left}, '[0-9]{{1,5}}')"
    [(matched, things, known_matched, knowns, several)] = rows(f"""
        WITH pair AS (SELECT t.id AS t, k.id AS k FROM {_kept(thing)} AS t JOIN {_kept(known)} AS k
                      ON {left} = {right}{guard})
        SELECT (SELECT count(DISTINCT t) FROM pair), (SELECT count(DISTINCT id) FROM {_kept(thing)}),
               (SELECT count(DISTINCT k) FROM pair), (SELECT count(DISTINCT id) FROM {_kept(known)}),
               (SELECT count(*) FROM (SELECT t FROM pair GROUP BY t HAVING count(DISTINCT k) > 1))""")
    if not matched:
        return []
    return [Link(thing.kind, known.kind, by, key, other_key, matched / things, known_matched / knowns, several)]


def _key(by: str, text: str) -> str:
    """A key as both sides would write it; free mail has no domain of its own."""
    if by == "domain":
        host = f"regexp_replace(regexp_replace(LOWER({text}), '^.*@|^https?://', ''), '^www\\.|[/?#:].*$', '', 'g')"
        return f"CASE WHEN {host} NOT IN ({', '.join(map(quoted, FREE_MAIL))}) THEN {host} END"
    if by == "name":
        return f"regexp_replace(LOWER({text}), '[^a-z0-9]+|\\b(inc|ltd|llc|gmbh|ag|corp|co)\\b', '', 'g')"
    return f"LOWER({text})" if by == "email" else text


def _join(identity: Identity, thing: Thing, known: Thing, link: Link, rows: Rows) -> None:
    """Add the part that gives the account of each thing; several customers of one company become one account."""
    left, right = _key(link.by, f"t.{named(link.key)}"), _key(link.by, f"k.{named(link.other_key)}")
    pairs = f"{{{thing.kind}}} AS t JOIN {{{known.kind}}} AS k ON {left} = {right}"
    part = account_part(thing.kind)
    identity.parts[thing.kind] = thing.listing
    identity.links.append(link)
    if link.by == "name":
        identity.questions.append(f"{thing.sheet}: {link}. Nothing but names agrees: are these the same companies?")
    if thing.is_account and known is identity.home and link.several and not thing.within:
        identity.parts[account_part(known.kind)] = (
            f"SELECT h.id, COALESCE(min(t.id), h.id) AS account_id\nFROM ({_own_ids(known)}) AS h\n"
            f"LEFT JOIN {{{known.kind}}} AS k ON k.id = h.id\n"
            f"LEFT JOIN {{{thing.kind}}} AS t ON {left} = {right}\nGROUP BY h.id"
        )
        identity.questions.append(
            f"{link.several} of {thing.kind} have several of {known.kind}: each such company is one account, under the "
            f"id of {thing.kind}."
        )
    identity.parts[part] = (
        f"SELECT t.id, min(a.account_id) AS account_id\nFROM {pairs}\n"
        f"JOIN {{{account_part(known.kind)}}} AS a ON a.id = k.id\n"
        "GROUP BY t.id HAVING count(DISTINCT a.account_id) = 1"
    )


def _unjoined(thing: Thing, home: Thing, link: Link | None) -> str:
    """The question about a thing that cannot be joined."""
    what = f"{thing.sheet} ({thing.kind}) cannot be joined to {home.sheet} ({home.kind})"
    if link is None or link.confidence < WORTH_SAYING:
        return f"{what}: no column of one holds what a column of the other holds. Which column names the account?"
    return (
        f"{what}: the best keys, {link.key} = {link.other_key} of {link.to}, match {link.share:.0%} of the first and "
        f"{link.of_accounts:.0%} of the second. Which column names the account?"
    )


def comments(links: Sequence[Link]) -> Mapping[str, str]:
    """What is to be said of each joined kind."""
    return {link.kind: str(link) for link in links}
