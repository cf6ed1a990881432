"""Who is who among `contacts`, and who is there: what the features of people share."""

from features.families.kinds import Value, balance, needing
from features.families.parts import Stream
from features.tables.sql import code, flag, later_of, one_of

CHAMPION = one_of("role", "champion")
SPONSOR = one_of("role", "executive_sponsor", "sponsor")
DECISION_MAKER = one_of("role", "decision_maker")
CUSTOMER, VENDOR = "side <> 'vendor'", "side = 'vendor'"
DECIDES = one_of("respondent_role", "decision_maker", "executive_sponsor", "executive", "sponsor")
REDUNDANCY_DAYS, REDUNDANCY_MOST = 90, 3  # who was active in so many days, and how many of either side count
SIDE_AND_ROLE = ("role", f"COALESCE({code('side')}, 'customer') AS side")
JOINED = Stream("people", "contacts", needs=("contacts.joined_on",), columns=SIDE_AND_ROLE)
GONE = Stream(
    "people_gone",
    "contacts",
    needs=(),
    columns=SIDE_AND_ROLE,
    day=later_of("joined_on", "left_on"),
    where="joined_on IS NOT NULL AND left_on IS NOT NULL",
)


def present(name: str, condition: str, *needs: str) -> Value:
    """People present, of a role or side; who left counts until then where the table says who left."""
    return needing(balance(JOINED, GONE, name, flag(condition)), *needs)
