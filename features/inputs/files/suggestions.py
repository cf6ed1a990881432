"""Names in messages: several in one line, and which of them was perhaps meant."""

import difflib
from collections.abc import Sequence


def near(name: str, names: Sequence[str]) -> str:
    """A suggestion where `name` nearly is one of `names`, whatever the case, else nothing."""
    lowered = {choice.lower(): choice for choice in names}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return f" Did you mean {lowered[close[0]]}?" if close else ""


def listed(names: Sequence[str]) -> str:
    """Names in one line, the first twenty."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
