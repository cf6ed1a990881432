"""What acting rests on: what past actions changed, and what the team's processes were in the quarter."""

from models.effects.action_effect import GOOD
from models.words import counted
from serving.access.tokens import Caller
from serving.desk.acting import known_effects, quarterly_review
from serving.pages.views import Row, head
from serving.publication.reader import Published


def effects(published: Published, caller: Caller) -> Row:
    """What past actions changed by level of kinds, and how many effects stand."""
    content = known_effects(published, caller)
    levels: dict[str, list[Row]] = {}
    for row in content["rows"]:
        levels.setdefault(row["level"], []).append(row)
    standing = sum(row["evidence"] == GOOD for row in content["rows"])
    total = counted(len(content["rows"]), "kind")
    answer = f"{standing} of {total} of actions with an effect that stands" if content["rows"] else NOTHING_KNOWN
    return {**head(published), **content, "title": "What actions change", "levels": levels, "answer": answer}


def process(published: Published, caller: Caller) -> Row:
    """The quarterly review, its processes by level."""
    content = quarterly_review(published, caller)
    levels: dict[str, list[Row]] = {}
    for row in content["processes"]:
        levels.setdefault(row["level"], []).append(row)
    return {**head(published), **content, "title": "Quarterly review", "levels": levels}


NOTHING_KNOWN = "What actions change is not known yet"
