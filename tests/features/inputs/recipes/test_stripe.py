"""Stripe's exports: MRR in cents and by the year, trials, coupons, pauses, cancellations, two currencies."""

# ruff: noqa: E501 - rows of exports are wide

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("costly")

DASHBOARD = """
    id,Customer ID,Customer Email,Plan,Product,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start (UTC),Current Period Start (UTC),Current Period End (UTC),Trial Start (UTC),Trial End (UTC),Canceled At (UTC),Ended At (UTC)
    sub_month,cus_a,ann@a.com,p1,Pro,2,usd,month,2999,active,2024-01-10 10:00,2024-01-10 10:00,2025-05-10 10:00,2025-06-10 10:00,,,,
    sub_year,cus_b,bob@b.com,p2,Pro,1,usd,year,240000,active,2023-03-01 10:00,2023-03-01 10:00,2025-03-15 10:00,2026-03-15 10:00,2023-03-01 10:00,2023-03-15 10:00,,
    sub_yen,cus_c,chi@c.jp,p3,Pro,1,jpy,month,5000,canceled,2024-01-10 10:00,2024-01-10 10:00,2025-02-10 10:00,2025-03-10 10:00,,,2025-02-20 10:00,2025-03-10 10:00
    sub_trial,cus_d,dee@d.com,p1,Pro,1,usd,month,2999,trialing,2025-05-20 10:00,2025-05-20 10:00,2025-05-20 10:00,2025-06-20 10:00,2025-05-20 10:00,2025-06-20 10:00,,
    sub_leaving,cus_e,eve@e.com,p4,Basic,1,usd,quarter,30000,active,2024-04-01 10:00,2024-04-01 10:00,2025-04-01 10:00,2025-07-01 10:00,,,2025-05-02 10:00,
    sub_week,cus_f,fay@f.com,p5,Basic,3,usd,week,1000,active,2025-01-06 10:00,2025-01-06 10:00,2025-05-19 10:00,2025-05-26 10:00,,,,
"""
RATES = """
    month,currency,rate
    2024-01-01,JPY,0.0065
    2025-01-01,JPY,0.007
"""
REFUNDS = """
    id,charge,amount,currency,reason
    re_1,ch_1,2999,usd,requested_by_customer
"""


def test_arr_of_the_dashboards_export_is_that_of_a_hand_count(company: Callable[..., Any]) -> None:
    exports = company(subscriptions=DASHBOARD, fx_rates=RATES, refunds=REFUNDS)
    proposal = exports.proposed()
    assert [match.shape.name for match in proposal.left_out] == ["refunds"]
    assert exports.arr(date(2025, 2, 1)) == {
        "cus_a": 2 * 29.99 * 12,
        "cus_b": 2400.00,
        "cus_c": 5000 * 12 * 0.007,
        "cus_e": 300.00 * 4,
        "cus_f": 3 * 10.00 * 52,
    }
    assert exports.arr(date(2023, 3, 14)) == {}, "a trial is no revenue"
    assert exports.arr(date(2025, 5, 1)).keys() == {"cus_a", "cus_b", "cus_e", "cus_f"}
    assert exports.arr(date(2025, 7, 1)).keys() == {"cus_a", "cus_b", "cus_f"}, "cancelled for the period's end"


def test_an_annual_plan_is_a_line_a_year_each_known_from_its_start_on(company: Callable[..., Any]) -> None:
    exports = company(subscriptions=DASHBOARD, fx_rates=RATES)
    exports.proposed()
    lines = exports.rows("contracts", "account_id", "starts_on", "ends_on", "signed_on", "kind")
    assert [line[1:] for line in lines if line[0] == "cus_b"] == [
        (date(2023, 3, 15), date(2024, 3, 15), date(2023, 3, 1), None),
        (date(2024, 3, 15), date(2025, 3, 15), date(2024, 3, 15), "renewal"),
        (date(2025, 3, 15), date(2026, 3, 15), date(2025, 3, 15), "renewal"),
    ]


def test_where_a_cancellation_is_scheduled_its_day_is_known_from_the_notice_on(company: Callable[..., Any]) -> None:
    exports = company(subscriptions=DASHBOARD, fx_rates=RATES)
    exports.proposed()
    lines = exports.rows("contracts", "account_id", "starts_on", "ended_on", "notice_on")
    assert lines[-2] == ("cus_e", date(2025, 4, 1), date(2025, 7, 1), date(2025, 5, 2))


def test_the_data_end_with_the_newest_day_of_the_export(company: Callable[..., Any]) -> None:
    exports = company(subscriptions=DASHBOARD, fx_rates=RATES)
    assert exports.proposed().until == date(2025, 5, 20)
    assert exports.tables().data_until == date(2025, 5, 20)


def test_a_second_currency_without_rates_is_asked_for(company: Callable[..., Any]) -> None:
    questions = company(subscriptions=DASHBOARD).proposed().questions
    assert any("fx_rates.csv" in question and "JPY" in question for question in questions)


def test_amounts_with_decimals_are_no_cents(company: Callable[..., Any]) -> None:
    exports = company(subscriptions=DASHBOARD.replace(",2999,", ",29.99,"), fx_rates=RATES)
    proposal = exports.proposed()
    assert not any("cents" in question for question in proposal.questions)


FIVETRAN = {
    "stripe_subscription_history_data": """
        id,_fivetran_active,_fivetran_start,cancel_at_period_end,canceled_at,created,current_period_end,current_period_start,customer_id,ended_at,quantity,start_date,status,trial_end,pause_collection
        sub_1,false,2024-01-05 00:00:00,false,,2024-01-05 00:00:00,2024-07-05 00:00:00,2024-06-05 00:00:00,cus_1,,5,2024-01-05 00:00:00,active,,
        sub_1,false,2024-07-05 00:00:00,false,,2024-01-05 00:00:00,2025-01-05 00:00:00,2024-12-05 00:00:00,cus_1,,8,2024-01-05 00:00:00,active,,
        sub_1,true,2025-01-05 00:00:00,false,,2024-01-05 00:00:00,2025-06-05 00:00:00,2025-05-05 00:00:00,cus_1,,8,2024-01-05 00:00:00,active,,
        sub_2,true,2024-02-01 00:00:00,false,,2024-02-01 00:00:00,2025-02-01 00:00:00,2024-02-01 00:00:00,cus_2,2025-02-01 00:00:00,1,2024-02-01 00:00:00,canceled,,
        sub_3,false,2024-03-01 00:00:00,false,,2024-03-01 00:00:00,2024-09-01 00:00:00,2024-08-01 00:00:00,cus_3,,1,2024-03-01 00:00:00,active,,
        sub_3,true,2024-09-01 00:00:00,false,,2024-03-01 00:00:00,2025-06-01 00:00:00,2025-05-01 00:00:00,cus_3,,1,2024-03-01 00:00:00,active,,void
    """,
    "stripe_subscription_item_data": """
        id,plan_id,quantity,subscription_id
        si_1,price_m,8,sub_1
        si_2,price_y,1,sub_2
        si_3,price_m,1,sub_3
        si_4,price_use,1,sub_1
    """,
    "stripe_price_data": """
        id,currency,product_id,recurring_interval,recurring_interval_count,recurring_usage_type,type,unit_amount
        price_m,usd,prod_1,month,1,licensed,recurring,1050
        price_y,usd,prod_1,year,1,licensed,recurring,600000
        price_use,usd,prod_2,month,1,metered,recurring,3
        price_once,usd,prod_2,,,,one_time,100000
    """,
    "stripe_product_data": """
        id,name,active,unit_label,statement_descriptor
        prod_1,Suite,true,seat,
        prod_2,Calls,true,,
    """,
    "stripe_customer_data": """
        id,email,name,delinquent,invoice_prefix,is_deleted,metadata,created
        cus_1,x@one.com,One,false,A1,false,"{""account_id"":""77001""}",2024-01-05 00:00:00
        cus_2,y@two.com,Two,false,A2,false,{},2024-02-01 00:00:00
        cus_3,z@three.com,Three,false,A3,false,{},2024-03-01 00:00:00
    """,
    "stripe_subscription_discount_data": """
        id,coupon_id,customer_id,start,end,subscription_id
        di_1,half,cus_2,2024-02-01 00:00:00,,sub_2
        di_2,once,cus_1,2024-01-05 00:00:00,,sub_1
    """,
    "stripe_coupon_data": """
        id,amount_off,currency,duration,duration_in_months,percent_off
        half,,,forever,,50
        once,500,usd,once,,
    """,
}


def test_arr_of_warehouse_tables_follows_quantities_coupons_and_pauses(company: Callable[..., Any]) -> None:
    exports = company(**FIVETRAN)
    exports.proposed()
    assert exports.arr(date(2024, 6, 1)) == {"cus_1": 5 * 10.50 * 12, "cus_2": 3000.00, "cus_3": 126.00}
    assert exports.arr(date(2024, 8, 1))["cus_1"] == 8 * 10.50 * 12
    assert exports.arr(date(2025, 5, 1)) == {"cus_1": 8 * 10.50 * 12}, "two left, three is paused"
    lines = exports.rows("contracts", "account_id", "product", "starts_on", "ended_on", "seats")
    assert lines[:2] == [
        ("cus_1", "Suite", date(2024, 1, 5), date(2024, 7, 5), 5),
        ("cus_1", "Suite", date(2024, 7, 5), None, 8),
    ]


def test_a_coupon_that_ends_is_a_line_of_its_own(company: Callable[..., Any]) -> None:
    ending = FIVETRAN["stripe_subscription_discount_data"].replace(
        "cus_2,2024-02-01 00:00:00,,", "cus_2,2024-02-01 00:00:00,2024-05-01 00:00:00,"
    )
    exports = company(**(FIVETRAN | {"stripe_subscription_discount_data": ending}))
    exports.proposed()
    assert (exports.arr(date(2024, 4, 1))["cus_2"], exports.arr(date(2024, 5, 1))["cus_2"]) == (3000.00, 6000.00)


INVOICED = """
    id,invoice_id,amount,currency,period_start,period_end,plan_id,proration,quantity,subscription_id,type
    il_1,in_1,5998,usd,2024-01-10 00:00:00,2024-02-10 00:00:00,p1,false,2,sub_month,subscription
    il_2,in_2,5998,usd,2024-02-10 00:00:00,2024-03-10 00:00:00,p1,false,2,sub_month,subscription
    il_3,in_3,8997,usd,2024-03-10 00:00:00,2024-04-10 00:00:00,p1,false,3,sub_month,subscription
    il_4,in_3,1450,usd,2024-02-25 00:00:00,2024-03-10 00:00:00,p1,true,3,sub_month,subscription
    il_5,in_3,-990,usd,2024-02-25 00:00:00,2024-03-10 00:00:00,p1,true,2,sub_month,subscription
    il_6,in_3,50000,usd,2024-03-10 00:00:00,2024-03-10 00:00:00,,false,1,,invoiceitem
    il_7,in_9,5998,usd,2025-05-10 00:00:00,2025-06-10 00:00:00,p1,false,2,sub_month,subscription
"""


def test_whole_periods_on_invoices_tell_past_prices_and_prorations_do_not(company: Callable[..., Any]) -> None:
    exports = company(subscriptions=DASHBOARD, invoice_line_items=INVOICED, fx_rates=RATES)
    exports.proposed()
    past = {day: exports.arr(day)["cus_a"] for day in (date(2024, 2, 26), date(2024, 3, 10), date(2025, 5, 10))}
    assert list(past.values()) == [719.76, 1079.64, 719.76]
    assert exports.arr(date(2025, 2, 1))["cus_b"] == 2400.00, "what no invoice names keeps its price"


def test_a_year_that_twelve_does_not_divide_is_exact(company: Callable[..., Any]) -> None:
    exports = company(subscriptions=DASHBOARD.replace(",240000,", ",200000,"), fx_rates=RATES)
    exports.proposed()
    assert exports.arr(date(2025, 2, 1))["cus_b"] == 2000.00


def test_a_paused_collection_is_no_revenue_from_its_period_on(company: Callable[..., Any]) -> None:
    lines = DASHBOARD.strip().splitlines()
    cells = [",pause_collection.behavior", ",void", *([","] * (len(lines) - 2))]
    paused = "\n".join(line + cell for line, cell in zip(lines, cells, strict=True))
    exports = company(subscriptions=paused, fx_rates=RATES)
    exports.proposed()
    assert "cus_a" in exports.arr(date(2025, 5, 9))
    assert "cus_a" not in exports.arr(date(2025, 5, 11))
    assert ("cus_a", "paused") in exports.rows("contracts", "account_id", "status")


def _with_coupons(coupons: str, discounts: str) -> dict[str, str]:
    header = "id,amount_off,currency,duration,duration_in_months,percent_off\n"
    given = "id,coupon_id,customer_id,start,end,subscription_id\n"
    return FIVETRAN | {
        "stripe_coupon_data": header + coupons,
        "stripe_subscription_discount_data": given + discounts,
    }


def test_an_amount_off_is_shared_among_the_lines_of_its_day_and_not_among_versions(company: Callable[..., Any]) -> None:
    exports = company(**_with_coupons("c8,800,usd,forever,,", "di_1,c8,cus_1,2024-01-05 00:00:00,,sub_1"))
    exports.proposed()
    assert exports.arr(date(2024, 6, 1))["cus_1"] == (5 * 10.50 - 8) * 12
    assert exports.arr(date(2025, 5, 1))["cus_1"] == (8 * 10.50 - 8) * 12


def test_an_amount_off_is_shared_among_the_items_of_a_subscription(company: Callable[..., Any]) -> None:
    sheets = _with_coupons("c8,800,usd,forever,,", "di_1,c8,cus_1,2024-01-05 00:00:00,,sub_1")
    items = sheets["stripe_subscription_item_data"] + "si_9,price_m,8,sub_1"
    exports = company(**sheets | {"stripe_subscription_item_data": items})
    lines = exports.seen("contracts", "contract_id", "mrr", "list_mrr")
    assert {line[0]: line[1:] for line in lines if line[0].startswith(("si_1", "si_9"))} == {
        "si_1": (48.5, 52.5), "si_9": (48.5, 52.5), "si_1 2024-07-05": (80, 84), "si_9 2024-07-05": (80, 84),
    }  # fmt: skip


def test_discounts_that_follow_each_other_and_that_stack_each_last_as_long_as_they_do(
    company: Callable[..., Any],
) -> None:
    discounts = """di_1,half,cus_3,2024-03-01 00:00:00,2024-05-01 00:00:00,sub_3
        di_2,tenth,cus_3,2024-05-01 00:00:00,,sub_3
        di_3,fifth,cus_1,2024-02-01 00:00:00,,sub_1
        di_4,tenth,cus_1,2024-03-01 00:00:00,,sub_1"""
    coupons = "half,,,repeating,2,50\ntenth,,,forever,,10\nfifth,,,repeating,3,20"
    exports = company(**_with_coupons(coupons, discounts))
    exports.proposed()
    price = 5 * 10.50 * 12
    arr = {day: exports.arr(day) for day in (date(2024, 1, 10), date(2024, 2, 10), date(2024, 4, 10), date(2024, 6, 1))}
    assert [arr[day]["cus_1"] for day in arr] == pytest.approx([price, price * 0.8, price * 0.72, price * 0.9])
    assert [arr[day].get("cus_3") for day in arr] == [None, None, 63.0, pytest.approx(113.4)]
    starts = [row[1] for row in exports.rows("contracts", "account_id", "starts_on") if row[0] == "cus_1"]
    assert starts[:4] == [date(2024, 1, 5), date(2024, 2, 1), date(2024, 3, 1), date(2024, 5, 1)]


def test_cents_are_cents_also_where_a_data_frame_wrote_them(company: Callable[..., Any]) -> None:
    prices = FIVETRAN["stripe_price_data"].replace(",1050", ",1050.0").replace(",600000", ",600000.0")
    proposal = (exports := company(**(FIVETRAN | {"stripe_price_data": prices}))).proposed()
    assert exports.seen("contracts", "max(list_mrr)") == [(500,)]
    assert not any("price_data" in question for question in proposal.questions)


def test_fractions_where_the_api_has_none_are_read_as_units_and_asked(company: Callable[..., Any]) -> None:
    prices = FIVETRAN["stripe_price_data"].replace(",1050", ",10.50").replace(",600000", ",6000.00")
    proposal = (exports := company(**(FIVETRAN | {"stripe_price_data": prices}))).proposed()
    assert exports.seen("contracts", "min(mrr) FILTER (mrr > 0)") == [(10.5,)]
    assert any("unit_amount" in question and "10.50" in question for question in proposal.questions)
    assert proposal.tables["contracts"].confidence < 1


@pytest.mark.parametrize(
    ("currency", "mrr"), [("isk", 50), ("mga", 5000), ("jpy", 5000), ("huf", 50), ("kwd", 5), ("ugx", 5000)]
)
def test_minor_units_are_those_that_stripe_counts_in(company: Callable[..., Any], currency: str, mrr: float) -> None:
    prices = FIVETRAN["stripe_price_data"].replace("price_m,usd", f"price_m,{currency}").replace(",1050", ",5000")
    exports = company(**(FIVETRAN | {"stripe_price_data": prices}))
    line = exports.seen("contracts", "mrr", "contract_id")
    assert [row[0] for row in line if row[1] == "si_3"] == [mrr]


def test_a_price_that_is_listed_twice_is_taken_the_same_way_each_time(company: Callable[..., Any]) -> None:
    twice = FIVETRAN["stripe_price_data"].rstrip() + "\n" + "price_m,usd,prod_1,month,1,licensed,recurring,9900"
    exports = company(**(FIVETRAN | {"stripe_price_data": twice}))
    proposal = exports.proposed()
    assert "any_value" not in exports.file.read_text()
    assert "ORDER BY id, place, product, currency, amount" in proposal.tables["contracts"].query + str(proposal.parts)
    assert exports.seen("contracts", "mrr", "contract_id")[0] == (0, "si_3 2024-09-01")
    assert [row[0] for row in exports.seen("contracts", "mrr", "contract_id") if row[1] == "si_3"] == [10.5]


def test_of_two_versions_of_a_day_the_later_counts(company: Callable[..., Any]) -> None:
    first = "sub_1,false,2024-07-05 00:00:00,"
    earlier = "sub_1,false,2024-07-05 {hour},false,,2024-01-05 00:00:00,2025-01-05 00:00:00,2024-12-05 00:00:00,cus_1,,{seats},2024-01-05 00:00:00,active,,"
    history = FIVETRAN["stripe_subscription_history_data"]
    rows = [earlier.format(hour="12:00:00", seats=7), earlier.format(hour="09:00:00", seats=6)]
    more = history.replace(first, f"{rows[0]}\n        {rows[1]}\n        {first}").replace(
        "12-05 00:00:00,cus_1,,8", "12-05 00:00:00,cus_1,,4", 1
    )
    exports = company(**(FIVETRAN | {"stripe_subscription_history_data": more}))
    seats = exports.seen("contracts", "contract_id", "seats")
    assert [row[1] for row in seats if row[0] == "si_1 2024-07-05"] == [7]


def test_an_export_without_a_history_is_asked_for_one(company: Callable[..., Any]) -> None:
    assert any(
        "today's plan, price and quantity" in question
        for question in company(subscriptions=DASHBOARD).proposed().questions
    )
