"""The links at the top of every page: groups, and the pages of the group where the reader is."""

from dataclasses import dataclass

from serving.access.sight import sees_whole
from serving.access.tokens import Caller


@dataclass(frozen=True)
class Link:
    """A page: what it is called, where it is, and whether it is of the whole company alone."""

    name: str
    address: str
    whole: bool = False


GROUPS = {
    "home": (Link("home", "/"),),
    "accounts": (Link("accounts", "/accounts"), Link("health", "/health")),
    "to do": (
        Link("actions", "/actions"),
        Link("alerts", "/alerts"),
        Link("review", "/review"),
        Link("escalations", "/escalations"),
        Link("effects", "/effects", whole=True),
        Link("process", "/process", whole=True),
        Link("holdout", "/holdout", whole=True),
    ),
    "business": (
        Link("kpis", "/kpis"),
        Link("cohorts", "/cohorts", whole=True),
        Link("scorecards", "/scorecards"),
        Link("pay", "/pay"),
        Link("scenarios", "/scenarios", whole=True),
        Link("behaviours", "/behaviours"),
        Link("losses", "/losses"),
        Link("whitespace", "/whitespace"),
    ),
    "trust": (Link("track record", "/track-record"), Link("watch", "/watch", whole=True), Link("model", "/model")),
}
Named = tuple[str, str, bool]  # name, address, whether the reader is there


def navigation(caller: Caller | None, here: str) -> tuple[list[Named], list[Named]]:
    """The groups, each with its first page, and the pages of the group where `here` is: those that a caller may see."""
    if caller is None:
        return [], []
    seen = {group: [link for link in links if sees_whole(caller) or not link.whole] for group, links in GROUPS.items()}
    now = next((group for group, links in seen.items() if here in [link.name for link in links]), "")
    groups = [(group, links[0].address, group == now) for group, links in seen.items()]
    pages = [(link.name, link.address, link.name == here) for link in seen.get(now, [])]
    return groups, pages if len(pages) > 1 else []
