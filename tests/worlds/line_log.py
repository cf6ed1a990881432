"""The lines of contract that a world writes down while its months pass, and what becomes of them."""

from dataclasses import dataclass, field

import numpy as np

from tests.worlds.customers import NEVER, Customers, Whole

KINDS = ("new", "renewal", "upsell", "cross_sell", "downsell", "price_change")
NEW, RENEWAL, UPSELL, CROSS_SELL, DOWNSELL, PRICE_CHANGE = range(6)
CORE, ADDON = "Core", "Insights"
COLUMNS = ("number", "addon", "kind", "starts", "ends", "signed", "mrr", "seats", "price", "auto")


@dataclass
class Lines:
    """What was signed, and per customer the days of notice and of ends before the term; futures keep no log."""

    signed: list[Whole] = field(default_factory=list)
    notices: list[Whole] = field(default_factory=list)  # number, day of the term's end, day of notice, add-on alone
    stops: list[Whole] = field(default_factory=list)  # number, day from which no line that runs counts

    def sign(
        self,
        customers: Customers,
        which: Whole,
        *,
        kind: Whole | int,
        starts: Whole,
        ends: Whole,
        signed: Whole,
        mrr: Whole,
        seats: Whole,
        price: Whole | None = None,
        addon: bool = False,
    ) -> None:
        """Lines of some customers, one each; none where there is nothing to pay."""
        each = customers.price[which] if price is None else price
        parts = (customers.number[which], int(addon), kind, starts, ends, signed, mrr, seats, each)
        rows = np.stack(np.broadcast_arrays(*parts, customers.auto[which].astype(np.int64)), axis=1)
        self.signed.append(rows[np.broadcast_to(mrr, len(which)) > 0])

    def whole(self, customers: Customers, which: Whole, *, kind: Whole | int, starts: Whole, signed: Whole) -> None:
        """All that some customers now pay for, to the end of their term."""
        ends = np.where(customers.monthly[which] & customers.evergreen[which], NEVER, customers.ends[which])
        days = {"starts": starts, "ends": ends, "signed": signed}
        self.sign(customers, which, kind=kind, mrr=customers.core[which], seats=customers.seats[which], **days)
        mrr = customers.addon[which]
        self.sign(customers, which, kind=kind, mrr=mrr, seats=np.zeros_like(mrr), addon=True, **days)

    def notice(self, customers: Customers, which: Whole, day: Whole, *, addon: bool = False) -> None:
        parts = (customers.number[which], customers.ends[which], day, int(addon))
        self.notices.append(np.stack(np.broadcast_arrays(*parts), axis=1))

    def stop(self, customers: Customers, which: Whole, day: Whole) -> None:
        self.stops.append(np.stack(np.broadcast_arrays(customers.number[which], day), axis=1))
