"""What a reason is about: what the customer does, what the team does, or the contract's calendar, price and size."""

from collections.abc import Mapping
from typing import Literal

from models.hazards.model_inputs import Input

Group = Literal["customer", "team", "contract"]
GROUPS: tuple[Group, ...] = ("customer", "team", "contract")
BEHAVIOUR: frozenset[Group] = frozenset(("customer", "team"))
"""The groups that somebody can act on."""
_OF_FAMILY: Mapping[str, Group] = {
    "usage": "customer",
    "engagement": "customer",
    "csm_actions": "team",
    "contract_history": "contract",
}
_OF_SIGNAL: Mapping[str, Group] = {"support speed": "team", "the team's own call": "team"}
_OF_INPUT: Mapping[str, Group] = {
    "vendor_contacts": "team",
    "plan_completeness": "team",
    "customer_tasks_overdue_share": "customer",
    "value_reached_share": "customer",
}


def group_of(item: Input) -> Group:
    """The group of an input: its family's, but for the few inputs of one family that tell of another side."""
    of_family = _OF_FAMILY.get(item.family, "contract")
    return _OF_INPUT.get(item.name, _OF_SIGNAL.get(item.signal, of_family))
