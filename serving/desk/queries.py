"""What lists can be asked for, and the rows that answer: the API, the downloads and the pages all read here."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from serving.access.tokens import Caller
from serving.publication.account_filter import AccountFilter
from serving.publication.reader import Published, scope
from serving.wire.answers import Refused
from serving.wire.schemas import MOST_PAGE, AccountId, Metric, Sort, Text, Wire

ATTENTION_DAYS = 90
GROWTH_AT_LEAST = 0.5  # chance of expansion of what is listed as growth, where something speaks for it
Rows = tuple[int, list[dict[str, Any]]]
Month = Annotated[int, Field(ge=1, le=24, examples=[12])]
Label = Annotated[Text, Field(examples=["enterprise"])]


class Paged(Wire):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=MOST_PAGE, description="Rows a page")] = 50
    offset: Annotated[int, Field(ge=0, le=10_000_000, description="Rows to leave out first")] = 0


class CallQuery(Paged):
    """Which calls of people."""

    account_id: Annotated[AccountId | None, Field(description="Only of this account")] = None


class AccountQuery(Paged):
    """Which accounts, and in which order."""

    horizon_months: Annotated[Month | None, Field(description="Months ahead; the longest if absent")] = None
    segment: Annotated[Label | None, Field(description="Only this segment")] = None
    region: Annotated[Text | None, Field(description="Only this region", examples=["EMEA"])] = None
    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None
    cut: Annotated[
        Text | None, Field(description="Any other column of accounts to filter by", examples=["industry"])
    ] = None
    value: Annotated[Text | None, Field(description="What it must be", examples=["Education"])] = None
    renews_from: Annotated[date | None, Field(description="Term ends on this day or later")] = None
    renews_before: Annotated[date | None, Field(description="Term ends before this day")] = None
    min_arr_at_risk: Annotated[float | None, Field(ge=0, le=1e15, description="At least so much ARR at risk")] = None
    search: Annotated[Text | None, Field(description="Part of the name or the id")] = None
    attention: Annotated[
        bool,
        Field(
            description="Only accounts above the risk of their peers that are overdue or renew within "
            f"{ATTENTION_DAYS} days, or whose risk rose since the snapshot before"
        ),
    ] = False
    growth: Annotated[
        bool,
        Field(
            description=f"Only accounts with a chance of expansion of at least {GROWTH_AT_LEAST:.0%}, and something "
            "the customer or the team does that speaks for it"
        ),
    ] = False
    sort: Annotated[Sort, Field(description="What to sort by")] = "arr_at_risk"
    order: Annotated[Literal["asc", "desc"], Field(description="Which way")] = "desc"


class NrrQuery(Wire):
    """Which figures of the portfolio."""

    cut: Annotated[
        Text | None,
        Field(description="total, or a cut; without one, what the caller sees as a whole", examples=["total"]),
    ] = None
    value: Annotated[Text | None, Field(description="Only this value of the cut")] = None
    horizon_months: Annotated[Month | None, Field(description="Months ahead; all if absent")] = None
    metric: Annotated[Metric | None, Field(description="All if absent", examples=["nrr"])] = None


class RenewalQuery(Wire):
    """Whose renewals."""

    cut: Annotated[
        Text | None,
        Field(description="total, or a cut; without one, what the caller sees as a whole", examples=["total"]),
    ] = None
    value: Annotated[Text | None, Field(description="Only this value of the cut")] = None


class MovementQuery(Paged):
    """Whose movements."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None
    account_id: Annotated[Text | None, Field(description="Only this account")] = None


class BridgeQuery(Paged):
    """Whose part of the bridge between forecasts."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None


class HealthQuery(Paged):
    """Whose health."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None
    band: Annotated[Literal["A", "B", "C", "D"] | None, Field(description="Only this band")] = None
    colour: Annotated[Literal["green", "yellow", "red"] | None, Field(description="Only this colour")] = None
    status: Annotated[
        Literal["scored", "not enough data", "frozen"] | None, Field(description="Only accounts of this state")
    ] = None


class AlertQuery(Paged):
    """Which open alerts."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None
    rule: Annotated[Text | None, Field(description="Only this rule", examples=["champion_left"])] = None
    kind: Annotated[Literal["risk", "opportunity"] | None, Field(description="Only this kind")] = None
    status: Annotated[
        Literal["open", "acknowledged", "snoozed"] | None, Field(description="Only those of this state")
    ] = None
    delivery: Annotated[Literal["new", "digest"] | None, Field(description="Only those of this delivery")] = None


class ReviewQuery(Wire):
    """Whose accounts at risk."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None


class HistoryQuery(Paged):
    """Whose past scores."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None


def require_book(caller: Caller, csm: str | None) -> str | None:
    """The book to look into: the caller's own, or the one asked for by whoever sees all.

    Raises
    ------
    Refused
        403: another's book.
    """
    if caller.csm is not None and csm not in (None, caller.csm):
        raise Refused(403, f"Your token sees the book of {caller.csm} only.")
    return caller.csm if caller.csm is not None else csm


def require_horizon(published: Published, months: int | None, *, name: str = "horizon_months") -> int:
    """The horizon to answer for; `name` is that of what was asked.

    Raises
    ------
    Refused
        422: beyond what is published.
    """
    if months is not None and months > published.horizon_months:
        raise Refused(422, f"{name}: 1 to {published.horizon_months} are published, got {months}.")
    return months or published.horizon_months


def account_filter(published: Published, query: AccountQuery, caller: Caller) -> AccountFilter:
    """A query as the store takes it."""
    cuts = {"segment": query.segment, "region": query.region, query.cut: query.value}
    if (query.cut is None) != (query.value is None):
        raise Refused(422, "cut and value go together: which column of accounts, and what it must be.")
    return AccountFilter(
        horizon_months=require_horizon(published, query.horizon_months),
        csm=require_book(caller, query.csm),
        cuts={cut: value for cut, value in cuts.items() if cut is not None and value is not None},
        renews_from=query.renews_from.isoformat() if query.renews_from else None,
        renews_before=query.renews_before.isoformat() if query.renews_before else None,
        least_at_risk=query.min_arr_at_risk,
        search=query.search or None,
        attention_until=attention_until(published) if query.attention else None,
        least_growth=GROWTH_AT_LEAST if query.growth else None,
        sort=query.sort,
        descending=query.order == "desc",
        limit=query.limit,
        offset=query.offset,
    )


def attention_until(published: Published) -> str:
    """The day before which a renewal asks for attention."""
    return (date.fromisoformat(published.about["as_of"]) + timedelta(days=ATTENTION_DAYS)).isoformat()


def portfolio_scope(published: Published, query: NrrQuery | RenewalQuery, caller: Caller) -> dict[str, str | None]:
    """The cut and value to answer for: the caller's own whole by default.

    Raises
    ------
    Refused
        403 for more than the caller's book; 404 for a cut or value that is not published.
    """
    if query.cut is None:
        if query.value is not None:
            raise Refused(422, "value needs cut: of which column of accounts?")
        return {**scope(caller.csm)}
    if caller.csm is not None and (query.cut != "csm" or query.value not in (None, caller.csm)):
        raise Refused(403, f"Your token sees cut=csm, value={caller.csm} only.")
    value = caller.csm if caller.csm is not None else query.value
    values = published.cuts.get(query.cut)
    if values is None:
        raise Refused(404, f"There is no such cut: {', '.join(published.cuts)} are published (forecast.cuts).")
    if value is not None and value not in values:
        raise Refused(404, f"No such value of {query.cut} is published.")
    return {"cut": query.cut, "value": value}


def nrr_rows(published: Published, query: NrrQuery, caller: Caller) -> list[dict[str, Any]]:
    """Figures of the portfolio."""
    where = portfolio_scope(published, query, caller)
    if query.horizon_months is not None:
        require_horizon(published, query.horizon_months)
    return published.nrr(**where, horizon_months=query.horizon_months, metric=query.metric)


def red_flags(published: Published, query: NrrQuery, caller: Caller) -> list[str]:
    """Wide gaps between the ratios of what is asked for, over the horizon asked for or else the longest."""
    horizon = require_horizon(published, query.horizon_months)
    rows = published.ratios(horizon, **portfolio_scope(published, query, caller))
    return [f"{_named(row, caller)}{row['flag']}" for row in rows if row["flag"]]


def _named(row: Mapping[str, Any], caller: Caller) -> str:
    """Whose figures they are; a person's own need no name."""
    return "" if row["cut"] == "total" or caller.csm is not None else f"{row['cut']} {row['value']}: "


def renewal_rows(published: Published, query: RenewalQuery, caller: Caller) -> list[dict[str, Any]]:
    """Renewals by month."""
    return published.renewals(**portfolio_scope(published, query, caller))


def forecast_rows(published: Published, query: RenewalQuery, caller: Caller) -> list[dict[str, Any]]:
    """What this and earlier publications forecast."""
    return published.said(**portfolio_scope(published, query, caller))


def movement_rows(published: Published, query: MovementQuery, caller: Caller, *, all_rows: bool = False) -> Rows:
    """Movements by account."""
    limit, offset = (None, 0) if all_rows else (query.limit, query.offset)
    return published.moves(require_book(caller, query.csm), query.account_id, limit, offset)


def bridge_rows(published: Published, query: BridgeQuery, caller: Caller, *, all_rows: bool = False) -> Rows:
    """From the last official forecast to this one, by account."""
    limit, offset = (None, 0) if all_rows else (query.limit, query.offset)
    return published.forecast_bridge(require_book(caller, query.csm), limit, offset)


def bridge_steps(published: Published, query: BridgeQuery, caller: Caller) -> dict[str, Any]:
    """The same summed up: where it starts and ends, and what each step is worth."""
    sums = published.bridge_sums(require_book(caller, query.csm))
    start, end = sums.pop("expected_before"), sums.pop("expected_now")
    residual = round(end - start - sum(sums.values()), 2) + 0.0
    steps = [{"step": name, "amount": amount} for name, amount in sums.items()]
    return {"start": start, "end": end, "residual": residual, "steps": steps}


def health_rows(published: Published, query: HealthQuery, caller: Caller, *, all_rows: bool = False) -> Rows:
    """The health of accounts, worst first."""
    limit, offset = (None, 0) if all_rows else (query.limit, query.offset)
    conditions = {"band": query.band, "colour": query.colour, "status": query.status}
    return published.health(require_book(caller, query.csm), limit, offset, **conditions)


def history_rows(published: Published, query: HistoryQuery, caller: Caller, *, all_rows: bool = False) -> Rows:
    """Past scores by account."""
    limit, offset = (None, 0) if all_rows else (query.limit, query.offset)
    return published.histories(require_book(caller, query.csm), limit, offset)
