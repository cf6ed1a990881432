"""A business that is paid by use: purchases become streams of revenue, whose ARR is that of the trailing quarter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.inputs.recipes.habits import Habits
from features.inputs.recipes.kit import Draft, Thing
from features.inputs.recipes.survey import Sheet
from features.tables.sql import named

SOURCE = "usage-priced"
MONTHS = 3
SPELLINGS: Mapping[str, str] = {
    "account": "account_id customer_id client_id customer account client custom_id cust_id customer_no buyer_id",
    "date": "invoice_date order_date date purchased_on invoiced_on transaction_date month created_at timestamp created",
    "amount": "amount revenue net_amount total line_total spend total_price net_revenue turnover sales",
    "quantity": "quantity qty units",
    "price": "unit_price price unit_amount",
    "product": "supplier product_category category product_line product_group product brand department service",
    "region": "region country territory",
    "name": "customer_name account_name company_name company name",
    "currency": "currency currency_code",
}
WHY = (
    "ARR at a month start is 4 x the revenue of the three months before it; a line a month and stream.",
    "signed_on is the day before, so that a snapshot at the month start knows it; grace is 0 since nothing renews.",
    "A stream lives while one of its last three months has revenue; then it ended with the last that has, known from "
    "then on (recorded_at). Returns (negative rows) lower their month.",
)


@dataclass(frozen=True)
class Sales:
    """A sheet of purchases, with its columns."""

    sheet: Sheet
    columns: Mapping[str, str]
    habits: Habits

    def thing(self) -> Thing:
        """The customers who bought."""
        name = f", min({named(self.columns['name'])}) AS name" if "name" in self.columns else ""
        place = named(self.columns.get("region", ""))
        region = f", mode({place} ORDER BY {place}) AS region" if "region" in self.columns else ""
        listing = (
            f"SELECT {self._account} AS id{name}{region}\nFROM {self.sheet.relation} AS t\n"
            f"WHERE {self._account} IS NOT NULL GROUP BY 1"
        )
        columns = tuple(column for column in ("name", "region") if column in self.columns)
        keys = {"id": "id"} | ({"name": "name"} if name else {})
        return Thing("customer", SOURCE, self.sheet.name, listing, columns, keys)

    def draft(self, accounts: str) -> Draft:
        """The trailing quarter of each stream as a contract line a month."""
        query = LINES.format(
            account=self._account,
            day=self._day,
            amount=self._amount,
            product=self._product,
            currency=self._currency,
            rows=self.sheet.relation,
            accounts=f"{{{accounts}}}",
            months=MONTHS,
        )
        columns = ["contract_id", "account_id", "starts_on", "ends_on", "ended_on", "signed_on", "recorded_at", "mrr"]
        columns += [name for name in ("product", "currency") if name in self.columns]
        return Draft("contracts", SOURCE, (self.sheet.name,), query, tuple(columns), WHY)

    @property
    def _account(self) -> str:
        kind = self.sheet.types[self.columns["account"]]
        text = f"CAST(t.{named(self.columns['account'])} AS {'BIGINT' if kind in ('DOUBLE', 'FLOAT') else 'VARCHAR'})"
        return f"NULLIF(TRIM(CAST({text} AS VARCHAR)), '')"

    @property
    def _day(self) -> str:
        column, kind = self.columns["date"], self.sheet.types[self.columns["date"]]
        text = f"t.{named(column)}"
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"CAST({text} AS TIMESTAMP)"
        return self.habits.moment(self.sheet, column, text)

    @property
    def _amount(self) -> str:
        if "amount" in self.columns:
            return f"CAST({self._number('amount')} AS DECIMAL(18,4))"
        return f"CAST({self._number('quantity')} * {self._number('price')} AS DECIMAL(18,4))"

    def _number(self, role: str) -> str:
        column = self.columns[role]
        if self.sheet.types[column] != "VARCHAR":
            return f"CAST(t.{named(column)} AS DOUBLE)"
        return self.habits.number(self.sheet, column, f"t.{named(column)}")

    @property
    def _product(self) -> str:
        return f"CAST(t.{named(self.columns['product'])} AS VARCHAR)" if "product" in self.columns else "NULL"

    @property
    def _currency(self) -> str:
        return f"UPPER(t.{named(self.columns['currency'])})" if "currency" in self.columns else "NULL"


# A line of a stream that has fallen silent is told to have ended before it began, once the silence has lasted so long
# that the stream is over: what was known before that stays as it was (recorded_at).
LINES = """\
WITH purchase AS (
    SELECT {account} AS customer, {product} AS product, CAST({day} AS DATE) AS day, {amount} AS amount,
           {currency} AS currency
    FROM {rows} AS t),
month AS (
    SELECT a.account_id, product, currency, CAST(date_trunc('month', day) AS DATE) AS month, SUM(amount) AS revenue
    FROM purchase JOIN {accounts} AS a ON a.id = customer GROUP BY ALL),
reach AS (  -- from the first month start with a quarter before it to the last that ends a whole month
    SELECT date_trunc('month', min(day)) + INTERVAL {months} MONTH AS first_start,
           CASE WHEN bool_and(day(day) = 1) THEN max(day) + INTERVAL 1 MONTH
                ELSE date_trunc('month', max(day) + INTERVAL 1 DAY) END AS last_start
    FROM purchase),
paid AS (
    SELECT *, lead(month) OVER (PARTITION BY account_id, product, currency ORDER BY month) AS next_month
    FROM month WHERE revenue > 0),
quarter AS (
    SELECT account_id, product, currency, CAST(month + to_months(CAST(ahead AS INTEGER)) AS DATE) AS starts_on,
           SUM(revenue) / {months} AS mrr
    FROM month CROSS JOIN range(1, {months} + 1) AS later(ahead) GROUP BY ALL HAVING SUM(revenue) > 0),
line AS (  -- `over_on` is the month start that shows the stream to be over, of lines after the last paid month's
    SELECT q.*, CASE WHEN q.starts_on > p.month + INTERVAL 1 MONTH
                      AND COALESCE(p.next_month > p.month + INTERVAL {months} MONTH, TRUE)
                     THEN CAST(p.month + INTERVAL {months} MONTH + INTERVAL 1 MONTH AS DATE) END AS over_on
    FROM quarter AS q JOIN reach ON q.starts_on BETWEEN first_start AND last_start
    ASOF LEFT JOIN paid AS p ON p.account_id = q.account_id AND p.product IS NOT DISTINCT FROM q.product
      AND p.currency IS NOT DISTINCT FROM q.currency AND p.month < q.starts_on),
version AS (
    SELECT *, CAST(NULL AS DATE) AS ended_on, CAST(starts_on - INTERVAL 1 DAY AS DATE) AS recorded_at FROM line
    UNION ALL
    SELECT line.*, starts_on, CAST(over_on - INTERVAL 1 DAY AS DATE) FROM line, reach WHERE over_on <= last_start)
SELECT concat_ws('/', account_id, product, currency, starts_on) AS contract_id, account_id, product, starts_on,
       CAST(starts_on + INTERVAL 1 MONTH AS DATE) AS ends_on, ended_on,
       CAST(starts_on - INTERVAL 1 DAY AS DATE) AS signed_on, recorded_at,
       CAST(mrr AS DECIMAL(18,6)) AS mrr, currency
FROM version"""


def sales(habits: Habits, sheets: Sequence[Sheet]) -> Sales | None:
    """The sheet of purchases: who, when, how much; the largest, where there are several."""
    fits = [fit for sheet in sheets if (fit := _sales(habits, sheet)) is not None]
    return max(fits, key=lambda fit: fit.sheet.rows, default=None)


def _sales(habits: Habits, sheet: Sheet) -> Sales | None:
    spelled = sheet.spelled
    columns: dict[str, str] = {}
    for role, names in SPELLINGS.items():
        column = next((spelled[name] for name in names.split() if name in spelled), None)
        if column is not None and column not in columns.values():
            columns[role] = column
    paid = "amount" in columns or {"quantity", "price"} <= set(columns)
    if not {"account", "date"} <= set(columns) or not paid:
        return None
    return Sales(sheet, columns, habits)
