"""Contract history: tenure, term and time to renewal, past changes, price, and what the account is.

A line that starts on the day of the snapshot is in force at it, so changes count from after `t - 365` up to `t`:
they explain the step from the ARR 365 days ago to the ARR now.
"""

from functools import partial

from features.asof import AsOf
from features.feature import Feature
from features.tiles import flag, ratio

EDGES = ()
HONEYMOON_DAYS = 90
CLIFF_DAYS = 120
GROWS = "COALESCE(kind, '') IN ('upsell', 'cross_sell')"
REPRICES = "COALESCE(kind, '') = 'price_change'"
CONTINUES = "before_until >= starts AND before_priced_in = priced_in"


def tiles(asof: AsOf) -> dict[str, str]:
    """Work tables: none."""
    del asof
    return {}


def columns(asof: AsOf) -> dict[str, str]:
    """Temp tables of per-snapshot columns, each as its SELECT, from `lines` of the spine."""
    del asof  # the lines are already as known
    return {"contract_state": _STATE, "contract_changes": _CHANGES}


def _active(value: str, condition: str = "TRUE") -> str:
    return f"SUM(CASE WHEN active = 1 AND {condition} THEN {value} ELSE 0 END)"


def _arr_before(days: int) -> str:
    """ARR so many days ago, by what is known now and at today's rates."""
    return f"SUM(CASE WHEN starts <= t - {days} AND t - {days} < active_until THEN arr_cents ELSE 0 END)"


_STATE = f"""
    SELECT account_id, k, {_active("1")} AS line_count,
           COUNT(DISTINCT CASE WHEN active = 1 THEN product END) AS product_count,
           {_active("arr_cents", "term_ends IS NULL")} AS evergreen_cents,
           {_active("arr_cents", "auto_renew")} AS auto_renew_cents,
           {_active("arr_cents", "list_arr_cents > 0")} AS priced_cents,
           {_active("list_arr_cents", "list_arr_cents > 0")} AS list_cents,
           {_arr_before(180)} AS arr_180, {_arr_before(365)} AS arr_365
    FROM lines GROUP BY account_id, k"""

_CHANGES = f"""
    SELECT account_id, k, SUM(CASE WHEN kind = 'renewal' THEN 1 ELSE 0 END) AS renewals,
           SUM(recent * {flag(f"{GROWS} OR (rises = 1 AND NOT {REPRICES})")}) AS expansions_365,
           SUM(recent * {flag(f"kind = 'downsell' OR (falls = 1 AND NOT {GROWS})")}) AS contractions_365,
           SUM(recent * {flag(f"rises = 1 AND {REPRICES}")}) AS price_rises_365
    FROM (SELECT s.*, {flag(f"{CONTINUES} AND mrr_cents > before_mrr_cents")} AS rises,
                 {flag(f"{CONTINUES} AND mrr_cents < before_mrr_cents")} AS falls, {flag("starts > t - 365")} AS recent
          FROM (SELECT l.*,
                       LAG(mrr_cents) OVER same_product AS before_mrr_cents,
                       LAG(active_until) OVER same_product AS before_until,
                       LAG(priced_in) OVER same_product AS before_priced_in
                FROM lines l WHERE starts <= t
                WINDOW same_product AS (PARTITION BY k, account_id, product, buying_center
                                        ORDER BY starts, contract_id)) s) steps
    GROUP BY account_id, k"""

_PHASE = f"""
    CASE WHEN t - customer_from < {HONEYMOON_DAYS} THEN 'honeymoon'
         WHEN COALESCE(renewals, 0) = 0 AND term_ends - t <= {CLIFF_DAYS} THEN 'first renewal cliff'
         WHEN t - customer_from < 365 THEN 'reality trough'
         ELSE 'established' END"""

_feature = partial(Feature, family="contract_history", needs=("contracts.starts_on",))
_tenure = partial(_feature, signal="tenure")
_renewal = partial(_feature, signal="renewal")
_changes = partial(_feature, needs=("contracts.kind",), signal="past changes", window_days=365, unit="changes")
_size = partial(_feature, signal="size")


def _attribute(name: str, meaning: str, sentence: str) -> Feature:
    return _feature(
        name=name,
        needs=(f"accounts.{name}",),
        expression=f"attribute_{name}",
        unit="text",
        meaning=meaning,
        sentence=sentence,
        signal=name.replace("_", " "),
        kind="category",
    )


def _fit(name: str, words: str) -> Feature:
    return _feature(
        name=name,
        needs=(f"accounts.{name}",),
        expression=f"attribute_{name}",
        unit="0 to 1",
        meaning=f"How well the account fits, {words}",
        sentence=f"{words} scored {{value}} of 1",
        signal="fit",
        expected=-1,
    )


FEATURES: tuple[Feature, ...] = (
    _tenure(
        name="tenure_days",
        expression="t - customer_from",
        unit="days",
        meaning="Days since the account became a customer",
        sentence="a customer for {value} days",
        expected=-1,
    ),
    _tenure(
        name="tenure_phase",
        needs=("contracts.kind",),
        expression=_PHASE,
        unit="text",
        meaning="Phase of the customer's life: honeymoon, reality trough, first renewal cliff, established",
        sentence="in the phase: {value}",
        kind="category",
    ),
    _renewal(
        name="term_days",
        expression="term_days",
        unit="days",
        meaning="Scheduled length of the term that ends first; missing if evergreen",
        sentence="on a term of {value} days",
    ),
    _renewal(
        name="days_to_term_end",
        expression="term_ends - t",
        unit="days",
        meaning="Days to the first known term end, below 0 if overdue; missing if evergreen",
        sentence="the term ends in {value} days",
    ),
    _renewal(
        name="due_share",
        expression="CAST(due_cents AS DOUBLE) / arr_cents",
        unit="share",
        meaning="Share of ARR on the lines that end first",
        sentence="{value} of ARR is due at the next term end",
    ),
    _renewal(
        name="overdue_days",
        expression="overdue_days",
        unit="days",
        meaning="Days since a term ran out in silence; 0 if none did",
        sentence="the renewal is {value} days overdue",
        expected=1,
    ),
    _renewal(
        name="notice_given",
        needs=("contracts.notice_on",),
        expression="notice_given",
        unit="0/1",
        meaning="Whether notice of leaving was given on an active line",
        sentence="notice given: {value}",
        expected=1,
    ),
    _renewal(
        name="presigned",
        expression="presigned",
        unit="0/1",
        meaning="Whether the line that follows the first term end is already signed",
        sentence="renewal already signed: {value}",
        expected=-1,
    ),
    _renewal(
        name="evergreen_share",
        expression=ratio("evergreen_cents", "arr_cents"),
        unit="share",
        meaning="Share of ARR without a known end",
        sentence="{value} of ARR has no end date",
    ),
    _renewal(
        name="auto_renew_share",
        needs=("contracts.auto_renew",),
        expression=ratio("auto_renew_cents", "arr_cents"),
        unit="share",
        meaning="Share of ARR that renews unless notice is given",
        sentence="{value} of ARR renews by itself",
        expected=-1,
    ),
    _changes(
        name="renewals_to_date",
        window_days=None,
        expression="COALESCE(renewals, 0)",
        unit="renewals",
        meaning="Renewals so far",
        sentence="renewed {value} times so far",
        signal="tenure",
        expected=-1,
    ),
    _changes(
        name="expansions_365d",
        expression="COALESCE(expansions_365, 0)",
        meaning="Upsells, cross-sells and renewals at more in the last 365 days",
        sentence="{value} expansions in the last year",
        expected=-1,
    ),
    _changes(
        name="contractions_365d",
        expression="COALESCE(contractions_365, 0)",
        meaning="Downsells and renewals at less in the last 365 days",
        sentence="{value} contractions in the last year",
        expected=1,
    ),
    _changes(
        name="price_rises_365d",
        expression="COALESCE(price_rises_365, 0)",
        meaning="Price rises in the last 365 days",
        sentence="{value} price rises in the last year",
        signal="price",
        expected=1,
    ),
    _feature(
        name="discount",
        needs=("contracts.list_mrr",),
        expression=f"1 - {ratio('priced_cents', 'list_cents')}",
        unit="share",
        meaning="Discount from the list price, over the lines that have one",
        sentence="a discount of {value} from list price",
        signal="price",
    ),
    _size(
        name="arr",
        expression="CAST(arr_cents AS DOUBLE) / 100",
        unit="money a year",
        meaning="ARR in the reporting currency",
        sentence="an ARR of {value}",
        expected=-1,
    ),
    _size(
        name="arr_change_180d",
        window_days=180,
        expression=f"{ratio('arr_cents - arr_180', 'arr_180')}",
        unit="share",
        meaning="Change of ARR over 180 days, at constant rates; missing if it had none then",
        sentence="ARR changed by {value} in half a year",
        signal="past changes",
        expected=-1,
    ),
    _size(
        name="arr_change_365d",
        window_days=365,
        expression=f"{ratio('arr_cents - arr_365', 'arr_365')}",
        unit="share",
        meaning="Change of ARR over 365 days, at constant rates; missing if it had none then",
        sentence="ARR changed by {value} in a year",
        signal="past changes",
        expected=-1,
    ),
    _size(
        name="lines",
        expression="line_count",
        unit="lines",
        meaning="Active contract lines",
        sentence="{value} contract lines",
        expected=-1,
    ),
    _size(
        name="products",
        needs=("contracts.product",),
        expression="product_count",
        unit="products",
        meaning="Distinct products in force",
        sentence="{value} products",
        expected=-1,
    ),
    _size(
        name="seats",
        needs=("contracts.seats",),
        expression="seats",
        unit="seats",
        meaning="Seats paid for",
        sentence="{value} seats",
        expected=-1,
    ),
    _size(
        name="arr_per_seat",
        needs=("contracts.seats",),
        expression=ratio("arr_cents", "seats", scale="100"),
        unit="money a year",
        meaning="ARR per seat paid for",
        sentence="{value} a seat and year",
        signal="price",
    ),
    _attribute("segment", "Size or market segment", "segment {value}"),
    _attribute("industry", "Industry", "industry {value}"),
    _attribute("region", "Region", "region {value}"),
    _attribute("touch_model", "How the account is served", "served with {value} touch"),
    _attribute("fit", "How well the account fits the product", "a {value} fit"),
    _fit("technical_fit", "technical fit"),
    _fit("functional_fit", "functional fit"),
    _fit("experience_fit", "experience fit"),
    _fit("support_fit", "support fit"),
    _fit("buy_in_fit", "internal buy-in"),
)
