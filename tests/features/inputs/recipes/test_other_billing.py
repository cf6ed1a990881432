"""Chargebee, Recurly and Zuora, each by its own export and by a warehouse's tables: ARR as counted by hand."""

# ruff: noqa: E501 - rows of exports are wide

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from features.traps import second_look

pytestmark = pytest.mark.usefixtures("costly")

RATES = """
    month,currency,rate
    2023-01-01,EUR,1.10
    2024-01-01,EUR,1.10
    2025-01-01,EUR,1.10
"""
CHARGEBEE_SITE = """
    Subscription Id,Customer Id,Customer Company,Customer Email,Status,Plan Id,Plan Quantity,Plan Unit Price,Currency,Billing Period,Billing Period Unit,Created At,Started At,Trial End,Current Term End,Cancelled At,Cancel Schedule Created At,Pause Date,Resume Date
    s1,c1,One,a@one.com,active,pro-monthly,3,20.00,USD,1,month,2024-01-02 08:00:00,2024-01-02 08:00:00,,2025-06-02 08:00:00,,,,
    s2,c2,Two,b@two.com,active,pro-yearly,1,1200.00,EUR,1,year,2024-02-01 08:00:00,2024-02-01 08:00:00,2024-02-15 08:00:00,2026-02-15 08:00:00,,,,
    s3,c3,Three,c@three.com,cancelled,pro-monthly,1,20.00,USD,1,month,2024-01-02 08:00:00,2024-01-02 08:00:00,,2025-01-02 08:00:00,2025-01-02 08:00:00,2024-12-10 08:00:00,,
    s4,c4,Four,d@four.com,paused,pro-monthly,1,20.00,USD,1,month,2024-01-02 08:00:00,2024-01-02 08:00:00,,2025-04-02 08:00:00,,,2025-04-02 08:00:00,2025-05-02 08:00:00
    s5,c5,Five,e@five.com,in_trial,pro-monthly,1,20.00,USD,1,month,2025-05-02 08:00:00,2025-05-02 08:00:00,2025-06-02 08:00:00,2025-06-02 08:00:00,,,,
"""
CHARGEBEE_API = {
    "chargebee_subscription": """
        id,customer_id,status,currency_code,billing_period,billing_period_unit,created_at,started_at,trial_end,current_term_end,cancelled_at,mrr,deleted
        s1,c1,active,USD,1,month,1704182400,1704182400,,1748851200,,6000,false
        s2,c2,active,EUR,1,year,1706774400,1706774400,1707984000,1771142400,,10000,false
        s3,c3,cancelled,USD,1,month,1704182400,1704182400,,1735804800,1735804800,0,false
        s9,c9,active,USD,1,month,1704182400,1704182400,,1748851200,,6000,true
    """,
    "chargebee_subscription_item": """
        subscription_id,item_price_id,item_type,quantity,unit_price,amount
        s1,pro-USD-monthly,plan,3,1500,4500
        s1,support-USD-monthly,addon,1,1500,1500
        s1,setup-USD,charge,1,99900,99900
        s2,pro-EUR-yearly,plan,1,120000,120000
        s3,pro-USD-monthly,plan,1,2000,2000
        s9,pro-USD-monthly,plan,1,2000,2000
    """,
    "chargebee_customer": """
        id,email,company,auto_collection,net_term_days,deleted
        c1,a@one.com,One,on,0,false
        c2,b@two.com,Two,on,0,false
        c3,c@three.com,Three,on,0,false
    """,
}


def test_arr_of_chargebees_own_export(company: Callable[..., Any]) -> None:
    exports = company(Subscriptions=CHARGEBEE_SITE, fx_rates=RATES)
    exports.proposed()
    all_four = {"c1": 3 * 20.0 * 12, "c2": pytest.approx(1320.0), "c3": 240.0, "c4": 240.0}
    assert exports.arr(date(2024, 12, 1)) == all_four
    assert exports.arr(date(2025, 4, 10)).keys() == {"c1", "c2"}, "four is paused"
    assert exports.arr(date(2025, 5, 10)).keys() == {"c1", "c2", "c4"}, "and resumes"
    assert exports.rows("contracts", "account_id", "ended_on", "notice_on")[3:4] == [
        ("c3", date(2025, 1, 2), date(2024, 12, 10))
    ]


def test_arr_of_chargebees_api_is_that_of_its_items_in_cents(company: Callable[..., Any]) -> None:
    exports = company(**CHARGEBEE_API, fx_rates=RATES)
    exports.proposed()
    assert exports.arr(date(2024, 12, 1)) == {"c1": (45.0 + 15.0) * 12, "c2": pytest.approx(1320.0), "c3": 240.0}
    assert exports.arr(date(2025, 2, 1)).keys() == {"c1", "c2"}


def test_chargebees_mrr_is_taken_where_there_are_no_items(company: Callable[..., Any]) -> None:
    sheet = CHARGEBEE_API["chargebee_subscription"].replace(",mrr,", ",mrr,plan_amount,")
    lines = sheet.strip().splitlines()
    amounts = ["", "6500,", "120000,", "2000,", "2000,"]
    sheet = "\n".join(line.rpartition(",")[0] + "," + amount + line.rpartition(",")[2] if amount else line
                      for line, amount in zip(lines, amounts, strict=True))  # fmt: skip
    exports = company(chargebee_subscription=sheet, fx_rates=RATES)
    exports.proposed()
    assert exports.arr(date(2024, 12, 1)) == {"c1": 720.0, "c2": pytest.approx(1320.0), "c3": 240.0}


RECURLY_SITE = """
    subscription_id,account_code,account_email,plan_code,plan_name,state,quantity,unit_amount,currency,plan_interval_unit,plan_interval_length,created_at,activated_at,trial_ends_at,current_period_ends_at,canceled_at,expires_at,auto_renew
    r1,acme,a@acme.com,gold,Gold,active,2,49.50,USD,months,1,2024-01-03 00:00:00 UTC,2024-01-03 00:00:00 UTC,,2025-06-03 00:00:00 UTC,,,true
    r2,beta,b@beta.com,gold-year,Gold yearly,active,1,600.00,EUR,months,12,2023-05-01 00:00:00 UTC,2023-05-01 00:00:00 UTC,,2025-05-01 00:00:00 UTC,,,true
    r3,coda,c@coda.com,gold,Gold,expired,1,49.50,USD,months,1,2024-01-03 00:00:00 UTC,2024-01-03 00:00:00 UTC,,2024-10-03 00:00:00 UTC,2024-09-12 00:00:00 UTC,2024-10-03 00:00:00 UTC,false
    r4,dune,d@dune.com,gold,Gold,failed,1,49.50,USD,months,1,2024-01-03 00:00:00 UTC,,,2024-10-03 00:00:00 UTC,,,false
"""
RECURLY_WAREHOUSE = {
    "recurly_subscription_history": """
        id,account_id,plan_id,state,quantity,unit_amount,add_ons_total,subtotal,currency,created_at,updated_at,activated_at,canceled_at,expires_at,current_period_ends_at,current_term_ends_at,current_term_started_at,trial_ends_at,paused_at,auto_renew
        r1,k1,p1,active,2,49.50,0,99.00,USD,2024-01-03 00:00:00,2024-01-03 00:00:00,2024-01-03 00:00:00,,,2024-02-03 00:00:00,2024-02-03 00:00:00,2024-01-03 00:00:00,,,true
        r1,k1,p1,active,4,49.50,0,198.00,USD,2024-01-03 00:00:00,2024-08-03 00:00:00,2024-01-03 00:00:00,,,2025-06-03 00:00:00,2025-06-03 00:00:00,2025-05-03 00:00:00,,,true
        r2,k2,p2,active,1,600.00,120.00,720.00,EUR,2023-05-01 00:00:00,2024-05-01 00:00:00,2023-05-01 00:00:00,,,2025-05-01 00:00:00,2025-05-01 00:00:00,2024-05-01 00:00:00,,,true
        r3,k3,p1,active,1,49.50,0,49.50,USD,2024-01-03 00:00:00,2024-01-03 00:00:00,2024-01-03 00:00:00,,,2024-02-03 00:00:00,2024-02-03 00:00:00,2024-01-03 00:00:00,,,true
        r3,k3,p1,expired,1,49.50,0,49.50,USD,2024-01-03 00:00:00,2024-10-03 00:00:00,2024-01-03 00:00:00,2024-09-12 00:00:00,2024-10-03 00:00:00,2024-10-03 00:00:00,2024-10-03 00:00:00,2024-09-03 00:00:00,,,false
    """,
    "recurly_plan_history": """
        id,code,name,interval_unit,interval_length,trial_length,updated_at
        p1,gold,Gold,months,1,0,2024-01-01 00:00:00
        p2,gold-year,Gold yearly,months,12,0,2024-01-01 00:00:00
    """,
    "recurly_account_history": """
        id,code,email,company,bill_to,tax_exempt,state,updated_at
        k1,acme,a@acme.com,Acme,self,false,active,2024-01-01 00:00:00
        k2,beta,b@beta.com,Beta,self,false,active,2024-01-01 00:00:00
        k3,coda,c@coda.com,Coda,self,false,active,2024-01-01 00:00:00
    """,
}


def test_arr_of_recurlys_own_export(company: Callable[..., Any]) -> None:
    exports = company(subscriptions=RECURLY_SITE, fx_rates=RATES)
    exports.proposed()
    assert exports.arr(date(2024, 6, 1)) == {"acme": 1188.0, "beta": pytest.approx(660.0), "coda": 594.0}
    assert exports.arr(date(2024, 11, 1)).keys() == {"acme", "beta"}
    ends = {row[0]: row[1:] for row in exports.rows("contracts", "account_id", "ended_on", "notice_on")}
    assert ends["coda"] == (date(2024, 10, 3), date(2024, 9, 12))


def test_arr_of_recurlys_history_follows_each_change(company: Callable[..., Any]) -> None:
    exports = company(**RECURLY_WAREHOUSE, fx_rates=RATES)
    exports.proposed()
    assert exports.arr(date(2024, 6, 1)) == {"k1": 1188.0, "k2": pytest.approx(792.0), "k3": 594.0}
    assert exports.arr(date(2024, 9, 1))["k1"] == 2376.0
    assert exports.arr(date(2024, 11, 1)).keys() == {"k1", "k2"}
    names = {row[0]: row[1] for row in exports.rows("accounts", "account_id", "name")}
    assert names == {"k1": "Acme", "k2": "Beta", "k3": "Coda"}


ZUORA_EXPORT = """
    RatePlanCharge.Id,RatePlanCharge.OriginalId,RatePlanCharge.Name,RatePlanCharge.ChargeType,RatePlanCharge.MRR,RatePlanCharge.Quantity,RatePlanCharge.EffectiveStartDate,RatePlanCharge.EffectiveEndDate,RatePlanCharge.Segment,RatePlanCharge.IsLastSegment,Account.AccountNumber,Account.Name,Account.Currency,Subscription.Name,Subscription.Status,Subscription.CancelledDate,Product.Name
    z1a,z1,Fee,Recurring,100.00,10,2024-01-01,2024-07-01,1,false,A001,Acme,USD,S1,Active,,Core
    z1b,z1,Fee,Recurring,150.00,15,2024-07-01,2026-01-01,2,true,A001,Acme,USD,S1,Active,,Core
    z2,z2,Fee,Recurring,80.00,1,2023-03-01,2025-03-01,1,true,A002,Beta,EUR,S2,Active,,Core
    z3,z3,Fee,Recurring,50.00,1,2024-01-01,2024-10-01,1,true,A003,Coda,USD,S3,Cancelled,2024-10-01,Core
    z4,z4,Setup,OneTime,0,1,2024-01-01,2024-01-02,1,true,A001,Acme,USD,S1,Active,,Core
"""
ZUORA_WAREHOUSE = {
    "zuora_rate_plan_charge_data": """
        id,_fivetran_deleted,account_id,charge_type,effective_end_date,effective_start_date,is_last_segment,mrr,name,original_id,quantity,segment,subscription_id,version
        z1-old,false,a1,Recurring,2025-01-01,2024-01-01,true,100.00,Fee,z1,10,1,s1v1,1
        z1-new,false,a1,Recurring,2024-07-01,2024-01-01,false,100.00,Fee,z1,10,1,s1v2,2
        z1b-new,false,a1,Recurring,2025-01-01,2024-07-01,true,150.00,Fee,z1,15,2,s1v2,2
        z3,false,a3,Recurring,2024-10-01,2024-01-01,true,50.00,Fee,z3,1,1,s3,1
        z9,true,a3,Recurring,2026-10-01,2024-01-01,true,50.00,Fee,z9,1,1,s3,1
        z2,false,a2,Recurring,2025-03-01,2023-03-01,true,80.00,Fee,z2,1,1,s2,1
    """,
    "zuora_subscription_data": """
        id,_fivetran_deleted,account_id,auto_renew,cancelled_date,contract_effective_date,current_term,current_term_period_type,is_latest_version,name,original_id,status,subscription_end_date,term_end_date,version
        s1v1,false,a1,true,,2023-12-10,12,Month,false,S1,s1v1,Expired,,2025-01-01,1
        s1v2,false,a1,true,,2023-12-10,12,Month,true,S1,s1v1,Active,2025-01-01,2025-01-01,2
        s2,false,a2,true,,2023-02-20,12,Month,true,S2,s2,Active,2025-03-01,2025-03-01,1
        s3,false,a3,true,2024-10-01,2023-12-10,12,Month,true,S3,s3,Cancelled,2024-10-01,2025-01-01,1
    """,
    "zuora_account_data": """
        id,_fivetran_deleted,account_number,bill_cycle_day,crm_id,currency,invoice_template_id,name
        a1,false,A001,1,,USD,t,Acme
        a2,false,A002,1,,EUR,t,Beta
        a3,false,A003,1,,USD,t,Coda
    """,
}


def test_arr_of_zuoras_data_source_export(company: Callable[..., Any]) -> None:
    exports = company(RatePlanCharges=ZUORA_EXPORT, fx_rates=RATES)
    exports.proposed()
    assert exports.arr(date(2024, 6, 1)) == {"A001": 1200.0, "A002": pytest.approx(1056.0), "A003": 600.0}
    assert exports.arr(date(2024, 11, 1)) == {"A001": 1800.0, "A002": pytest.approx(1056.0)}


def test_arr_of_zuoras_warehouse_tables_is_that_of_the_latest_versions(company: Callable[..., Any]) -> None:
    exports = company(**ZUORA_WAREHOUSE, fx_rates=RATES)
    exports.proposed()
    assert exports.arr(date(2024, 6, 1)) == {"a1": 1200.0, "a2": pytest.approx(1056.0), "a3": 600.0}
    assert exports.arr(date(2024, 11, 1)) == {"a1": 1800.0, "a2": pytest.approx(1056.0)}
    terms = [row[1:] for row in exports.rows("contracts", "account_id", "starts_on", "ends_on") if row[0] == "a2"]
    assert terms == [(date(2023, 3, 1), date(2024, 3, 1)), (date(2024, 3, 1), date(2025, 3, 1))]


WHOLE_PRICES = """
    Subscription Id,Customer Id,Customer Company,Status,Plan Id,Plan Quantity,Plan Unit Price,Currency,Billing Period,Billing Period Unit,Created At,Started At,Current Term End
    s1,c1,One,active,small,1,29,USD,1,month,{start},{start},{end}
    s2,c2,Two,active,middle,1,49,USD,1,month,{start},{start},{end}
    s3,c3,Three,active,large,2,99,USD,1,month,{start},{start},{end}
"""
ISO = {"start": "2024-01-13", "end": "2025-06-13"}


def test_whole_prices_of_chargebees_site_are_no_cents(company: Callable[..., Any]) -> None:
    exports = company(Subscriptions=WHOLE_PRICES.format(**ISO))
    proposal = exports.proposed()
    assert exports.seen("contracts", "contract_id", "mrr") == [("s1", 29), ("s2", 49), ("s3", 198)]
    assert not any("whole numbers" in question for question in proposal.questions)
    assert proposal.tables["contracts"].confidence == 1


def test_where_it_is_a_guess_whether_whole_prices_are_cents_it_is_asked(company: Callable[..., Any]) -> None:
    unclear = WHOLE_PRICES.format(**ISO).replace("Plan Unit Price", "subscriptions.plan_unit_price")
    exports = company(Subscriptions=unclear)
    proposal = exports.proposed()
    assert exports.seen("contracts", "max(mrr)") == [(198,)], "99 cents is no price"
    assert any("whole units" in question and "cents_as_units" in question for question in proposal.questions)
    assert proposal.tables["contracts"].confidence < 1


def test_what_seems_to_be_cents_after_all_is_a_warning_of_the_check(company: Callable[..., Any]) -> None:
    sheet = WHOLE_PRICES.format(**ISO)
    more = "\n".join(
        f"s{n},c{n},N{n},active,p{n % 3},1,{(29, 49, 99)[n % 3]}00,USD,1,month,2024-01-13,2024-01-13,2025-06-13"
        for n in range(4, 34)
    )
    exports = company(
        Subscriptions=sheet.replace(",29,", ",2900,").replace(",49,", ",4900,").replace(",99,", ",9900,").rstrip()
        + "\n"
        + more
    )
    exports.proposed()
    assert "cents_as_units" in {
        warning.rule for warning in second_look(exports.tables(), params=exports.params).warnings
    }


def test_decimal_commas_are_told_by_the_column(company: Callable[..., Any]) -> None:
    sheet = (
        WHOLE_PRICES.format(**ISO).replace(",29,", ',"20,50",').replace(",49,", ',"1.049,90",').replace(",99,", ",7,")
    )
    assert company(Subscriptions=sheet).seen("contracts", "CAST(mrr AS DOUBLE)") == [(14,), (20.5,), (1049.9,)]


def test_a_comma_that_may_part_thousands_or_decimals_is_asked_or_told_by_the_settings(
    companies: Callable[..., Any],
) -> None:
    sheet = WHOLE_PRICES.format(**ISO).replace(",29,", ',"1,250",')
    exports = companies("asked", Subscriptions=sheet)
    assert any("source.decimal_comma=true" in question for question in exports.proposed().questions)
    assert exports.seen("contracts", "max(mrr)") == [(1250,)]
    told = companies("told", Subscriptions=sheet)
    assert not any("comma" in question for question in told.proposed(decimal_comma=True).questions)
    assert told.seen("contracts", "max(mrr) FILTER (contract_id = 's1')") == [(1.25,)]
    assert "decimal_comma: true" in told.file.read_text()


DAYS = {
    "its own days": ("13/04/2024", "01/06/2025", {}, date(2024, 4, 13), False),
    "its own months": ("04/13/2024", "01/06/2025", {}, date(2024, 4, 13), False),
    "another column": ("01/04/2024", "13/06/2025", {}, date(2024, 4, 1), False),
    "another column, months": ("01/04/2024", "06/13/2025", {}, date(2024, 1, 4), False),
    "the settings": ("01/04/2024", "01/06/2025", {"day_first": True}, date(2024, 4, 1), False),
    "the settings, months": ("01/04/2024", "01/06/2025", {"day_first": False}, date(2024, 1, 4), False),
    "nothing": ("01/04/2024", "01/06/2025", {}, date(2024, 1, 4), True),
    "no need": ("04/04/2024", "06/06/2025", {}, date(2024, 4, 4), False),
    "dashes": ("01-04-2024", "13-06-2025", {}, date(2024, 4, 1), False),
}


@pytest.mark.parametrize(("start", "end", "how", "starts_on", "is_asked"), DAYS.values(), ids=DAYS)
def test_the_order_of_day_and_month_is_told_by(
    company: Callable[..., Any], start: str, end: str, how: dict[str, bool], starts_on: date, is_asked: bool
) -> None:
    exports = company(Subscriptions=WHOLE_PRICES.format(start=start, end=end))
    questions = exports.proposed(**how).questions
    assert exports.seen("contracts", "DISTINCT starts_on") == [(starts_on,)]
    assert sum("source.day_first=true" in question for question in questions) == is_asked
    assert ("day_first" in exports.file.read_text()) == (bool(how) or is_asked)
