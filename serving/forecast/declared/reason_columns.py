"""What is told of a reason, and of how the points add up from an account's peers to the account."""

from models.reasons.groups import GROUPS
from serving.forecast.declared.column import Kind, OutColumn, Place

_REASON = (Place.API, Place.DATA)

OF_A_REASON = (
    OutColumn("outcome", Kind.TEXT, "", "churn or expansion", places=(Place.DATA,)),
    OutColumn("rank", Kind.INTEGER, "", "1 = moves the probability most, up or down", places=_REASON),
    OutColumn(
        "group",
        Kind.TEXT,
        "",
        "customer = what the customer does; team = what we do; contract = calendar, price, size and fit",
        places=_REASON,
        values=GROUPS,
    ),
    OutColumn(
        "display_rank",
        Kind.INTEGER,
        "",
        "1 = shown first: what raises the probability and somebody can act on comes before the rest",
        places=_REASON,
    ),
    OutColumn(
        "leads",
        Kind.INTEGER,
        "0/1",
        "Whether it is what the customer or the team does, matters, and differs from what is typical as it should",
        places=_REASON,
    ),
    OutColumn("feature", Kind.TEXT, "", "The model input shown for the reason", places=_REASON),
    OutColumn("value", Kind.TEXT, "", "Its value at as_of; empty = not known", places=_REASON),
    OutColumn(
        "effect",
        Kind.NUMBER,
        "probability points",
        "What the reason adds to the probability, against the account's peers; 0.01 = one point",
        places=_REASON,
    ),
    OutColumn(
        "text", Kind.TEXT, "", "The sentence a CSM reads; typical = the median of the account's peers", places=_REASON
    ),
)


def _points(name: str, what: str) -> OutColumn:
    return OutColumn(f"{name}_effect", Kind.NUMBER, "probability points", f"Sum of {what}", places=_REASON)


OF_PEERS = (
    OutColumn("outcome", Kind.TEXT, "", "churn or expansion", places=(Place.DATA,)),
    OutColumn("peer_group", Kind.TEXT, "", "What the accounts it is compared with have in common", places=_REASON),
    OutColumn("peers", Kind.INTEGER, "accounts", "How many they are", places=_REASON),
    OutColumn("peer_probability", Kind.SHARE, "probability", "Their mean probability", places=_REASON),
    _points("customer", "the effects of what the customer does, small ones too"),
    _points("team", "the effects of what we do, small ones too"),
    _points("contract", "the effects of calendar, price, size and fit, small ones too"),
    OutColumn(
        "other_effect",
        Kind.NUMBER,
        "probability points",
        "All else: what no input explains, such as luck that accounts share",
        places=_REASON,
    ),
    OutColumn(
        "probability",
        Kind.SHARE,
        "probability",
        "Of churn: that no ARR is left at the longest horizon; of expansion: of at least one, were it to stay",
        places=_REASON,
    ),
)
