"""What was known of a contract line does not change when its customer cancels later: only its end and notice do."""

# ruff: noqa: E501 - rows of exports are wide

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

COLUMNS = ("contract_id", "account_id", "product", "kind", "starts_on", "ends_on", "signed_on", "mrr", "list_mrr")
COLUMNS += ("seats", "currency", "status")
CANCELLED_ON = date(2024, 6, 20)

DASHBOARD = """
    id,Customer ID,Customer Email,Product,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start (UTC),Current Period Start (UTC),Current Period End (UTC),Canceled At (UTC),Ended At (UTC)
    s1,c1,a@one.com,Pro,3,usd,{interval},24000,{row}
    s2,c2,b@two.com,Pro,3,usd,{interval},24000,active,2022-03-01 10:00,2022-03-01 10:00,2024-03-01 10:00,2025-03-01 10:00,,
"""
STRIPE_API = {
    "stripe_subscription": """
        id,customer_id,status,cancel_at_period_end,cancel_at,canceled_at,created,current_period_start,current_period_end,start_date,ended_at
        s1,c1,{row}
        s2,c2,active,false,,,2022-03-01,2024-03-01,2025-03-01,2022-03-01,
    """,
    "stripe_subscription_item": "id,plan_id,quantity,subscription_id\nsi_1,p1,3,s1\nsi_2,p1,3,s2",
    "stripe_price": "id,currency,product_id,recurring_interval,recurring_interval_count,unit_amount\np1,usd,x,year,1,24000",
}
STRIPE_HISTORY = STRIPE_API | {
    "stripe_subscription": """
        id,_fivetran_active,_fivetran_start,customer_id,quantity,status,cancel_at_period_end,canceled_at,created,current_period_start,current_period_end,start_date,ended_at
        s1,false,2022-03-01,c1,3,active,false,,2022-03-01,2022-03-01,2023-03-01,2022-03-01,
        s1,true,2023-08-01,c1,5,{row}
        s2,true,2022-03-01,c2,3,active,false,,2022-03-01,2024-03-01,2025-03-01,2022-03-01,
    """
}
CHARGEBEE = """
    Subscription Id,Customer Id,Customer Company,Customer Email,Status,Plan Id,Plan Quantity,Plan Unit Price,Currency,Billing Period,Billing Period Unit,Created At,Started At,Current Term Start,Current Term End,Cancelled At,Cancel Schedule Created At
    s1,c1,One,a@one.com,{row}
    s2,c2,Two,b@two.com,active,pro,3,240.00,USD,1,year,2022-03-01,2022-03-01,2024-03-01,2025-03-01,,
"""
CHARGEBEE_API = {
    "chargebee_subscription": """
        id,customer_id,status,currency_code,billing_period,billing_period_unit,created_at,started_at,current_term_end,cancelled_at,mrr,plan_unit_price,deleted
        s1,c1,{row}
        s2,c2,active,USD,1,year,1646092800,1646092800,1740787200,,2000,24000,false
    """
}
CHARGEBEE_ITEMS = CHARGEBEE_API | {
    "chargebee_subscription_item": """
        subscription_id,item_price_id,item_type,quantity,unit_price,amount
        s1,pro,plan,3,8000,24000
        s2,pro,plan,3,8000,24000
    """
}
RECURLY = """
    subscription_id,account_code,account_email,plan_code,plan_name,state,quantity,unit_amount,currency,plan_interval_unit,plan_interval_length,created_at,activated_at,current_term_started_at,current_term_ends_at,current_period_ends_at,canceled_at,expires_at,auto_renew
    s1,acme,a@one.com,gold,Gold,{row}
    s2,beta,b@two.com,gold,Gold,active,3,240.00,USD,months,12,2022-03-01,2022-03-01,2024-03-01,2025-03-01,2025-03-01,,,true
"""
RECURLY_HISTORY = {
    "recurly_subscription_history": """
        id,account_id,plan_id,state,quantity,unit_amount,currency,created_at,updated_at,activated_at,canceled_at,expires_at,current_term_ends_at,current_term_started_at,auto_renew
        s1,k1,p1,active,3,240.00,USD,2022-03-01,2022-03-01,2022-03-01,,,2023-03-01,2022-03-01,true
        s1,k1,p1,active,5,240.00,USD,2022-03-01,2023-08-01,2022-03-01,,,2024-03-01,2023-03-01,true
        s1,k1,p1,{row}
    """,
    "recurly_plan_history": "id,code,name,interval_unit,interval_length,trial_length\np1,gold,Gold,months,12,0",
}
ZUORA = """
    RatePlanCharge.Id,RatePlanCharge.OriginalId,RatePlanCharge.Name,RatePlanCharge.ChargeType,RatePlanCharge.MRR,RatePlanCharge.Quantity,RatePlanCharge.EffectiveStartDate,RatePlanCharge.EffectiveEndDate,RatePlanCharge.Segment,RatePlanCharge.IsLastSegment,Account.AccountNumber,Account.Name,Account.Currency,Subscription.Name,Subscription.Status,Subscription.CancelledDate,Product.Name
    z1a,z1,Fee,Recurring,100.00,10,2022-03-01,2023-08-01,1,false,A001,Acme,USD,S1,{status},{row}
    z1b,z1,Fee,Recurring,150.00,15,2023-08-01,{ends},2,true,A001,Acme,USD,S1,{status},{row}
    z2,z2,Fee,Recurring,80.00,1,2022-03-01,2025-03-01,1,true,A002,Beta,USD,S2,Active,,Core
"""
ZUORA_WAREHOUSE = {
    "zuora_rate_plan_charge": """
        id,account_id,charge_type,effective_end_date,effective_start_date,is_last_segment,mrr,name,original_id,quantity,segment,subscription_id,version
        z1a,a1,Recurring,2023-08-01,2022-03-01,false,100.00,Fee,z1,10,1,s1,2
        z1b,a1,Recurring,{ends},2023-08-01,true,150.00,Fee,z1,15,2,s1,2
        z2,a2,Recurring,2025-03-01,2022-03-01,true,80.00,Fee,z2,1,1,s2,1
    """,
    "zuora_subscription": """
        id,account_id,auto_renew,cancelled_date,contract_effective_date,current_term,current_term_period_type,is_latest_version,name,original_id,status,subscription_end_date,term_end_date,version
        s1,a1,{row}
        s2,a2,true,,2022-02-20,12,Month,true,S2,s2,Active,2025-03-01,2025-03-01,1
    """,
    "zuora_account": "id,account_number,bill_cycle_day,crm_id,currency,name\na1,A1,1,,USD,Acme\na2,A2,1,,USD,Beta",
}
# Of each recipe a live row, and what becomes of it when the customer leaves: the cells that fill the sheets.
CASES: dict[str, tuple[dict[str, str], dict[str, str], dict[str, str]]] = {
    "stripe dashboard, at the period's end": (
        {"subscriptions": DASHBOARD},
        {"interval": "year", "row": "active,2022-03-01 10:00,2022-03-01 10:00,2024-03-01 10:00,2025-03-01 10:00,,"},
        {"interval": "year", "row": "active,2022-03-01 10:00,2022-03-01 10:00,2024-03-01 10:00,2025-03-01 10:00,2024-06-20 10:00,"},
    ),
    "stripe dashboard, at once": (
        {"subscriptions": DASHBOARD},
        {"interval": "year", "row": "active,2022-03-01 10:00,2022-03-01 10:00,2024-03-01 10:00,2025-03-01 10:00,,"},
        {"interval": "year", "row": "canceled,2022-03-01 10:00,2022-03-01 10:00,2024-03-01 10:00,2025-03-01 10:00,2024-06-20 10:00,2024-06-20 10:00"},
    ),
    "stripe dashboard, month to month": (
        {"subscriptions": DASHBOARD},
        {"interval": "month", "row": "active,2022-03-01 10:00,2022-03-01 10:00,2025-02-01 10:00,2025-03-01 10:00,,"},
        {"interval": "month", "row": "canceled,2022-03-01 10:00,2022-03-01 10:00,2024-06-01 10:00,2024-07-01 10:00,2024-06-20 10:00,2024-07-01 10:00"},
    ),
    "stripe api, at the period's end": (
        STRIPE_API,
        {"row": "active,false,,,2022-03-01,2024-03-01,2025-03-01,2022-03-01,"},
        {"row": "active,true,2025-03-01,2024-06-20,2022-03-01,2024-03-01,2025-03-01,2022-03-01,"},
    ),
    "stripe api, beyond the period's end": (
        STRIPE_API,
        {"row": "active,false,,,2022-03-01,2024-03-01,2025-03-01,2022-03-01,"},
        {"row": "active,false,2025-06-01,2024-06-20,2022-03-01,2024-03-01,2025-03-01,2022-03-01,"},
    ),
    "stripe history": (
        STRIPE_HISTORY,
        {"row": "active,false,,2022-03-01,2024-03-01,2025-03-01,2022-03-01,"},
        {"row": "canceled,false,2024-06-20,2022-03-01,2024-03-01,2025-03-01,2022-03-01,2024-06-20"},
    ),
    "chargebee site, at once": (
        {"Subscriptions": CHARGEBEE},
        {"row": "active,pro,3,240.00,USD,1,year,2022-03-01,2022-03-01,2024-03-01,2025-03-01,,"},
        {"row": "cancelled,pro,3,240.00,USD,1,year,2022-03-01,2022-03-01,2024-03-01,2024-06-20,2024-06-20,2024-06-20"},
    ),
    "chargebee site, at the term's end": (
        {"Subscriptions": CHARGEBEE},
        {"row": "active,pro,3,240.00,USD,1,year,2022-03-01,2022-03-01,2024-03-01,2025-03-01,,"},
        {"row": "non_renewing,pro,3,240.00,USD,1,year,2022-03-01,2022-03-01,2024-03-01,2025-03-01,2025-03-01,2024-06-20"},
    ),
    "chargebee api": (
        CHARGEBEE_API,
        {"row": "active,USD,1,year,1646092800,1646092800,1740787200,,2000,24000,false"},
        {"row": "cancelled,USD,1,year,1646092800,1646092800,1718841600,1718841600,0,24000,false"},
    ),
    "chargebee items": (
        CHARGEBEE_ITEMS,
        {"row": "active,USD,1,year,1646092800,1646092800,1740787200,,2000,24000,false"},
        {"row": "cancelled,USD,1,year,1646092800,1646092800,1718841600,1718841600,0,24000,false"},
    ),
    "recurly site": (
        {"subscriptions": RECURLY},
        {"row": "active,3,240.00,USD,months,12,2022-03-01,2022-03-01,2024-03-01,2025-03-01,2025-03-01,,,true"},
        {"row": "expired,3,240.00,USD,months,12,2022-03-01,2022-03-01,2024-03-01,2024-06-20,2024-06-20,2024-06-20,2024-06-20,false"},
    ),
    "recurly history": (
        RECURLY_HISTORY,
        {"row": "active,5,240.00,USD,2022-03-01,2024-06-20,2022-03-01,,,2025-03-01,2024-03-01,true"},
        {"row": "expired,5,240.00,USD,2022-03-01,2024-06-20,2022-03-01,2024-06-20,2024-06-20,2025-03-01,2024-03-01,false"},
    ),
    "zuora site": (
        {"RatePlanCharges": ZUORA},
        {"status": "Active", "row": ",Core", "ends": "2025-03-01"},
        {"status": "Cancelled", "row": "2024-06-20,Core", "ends": "2024-06-20"},
    ),
    "zuora warehouse": (
        ZUORA_WAREHOUSE,
        {"row": "true,,2022-02-20,12,Month,true,S1,s1,Active,2025-03-01,2025-03-01,2", "ends": "2025-03-01"},
        {"row": "false,2024-06-20,2022-02-20,12,Month,true,S1,s1,Cancelled,2024-06-20,2025-03-01,2", "ends": "2024-06-20"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sheets", "live", "cancelled"), CASES.values(), ids=CASES)
def test_no_cell_but_the_end_and_the_notice_tells_a_later_cancellation(
    companies: Callable[..., Any], sheets: dict[str, str], live: dict[str, str], cancelled: dict[str, str]
) -> None:
    before, after = (
        companies(name, **{sheet: text.format(**cells) for sheet, text in sheets.items()})
        for name, cells in (("live", live), ("cancelled", cancelled))
    )
    lines = [_begun(exports, *COLUMNS) for exports in (before, after)]
    assert lines[0] == lines[1]
    assert len(lines[0]) >= 2, "two customers"
    assert set(before.last.tables["contracts"].columns) == {*COLUMNS, "ended_on", "notice_on"}
    ends = [exports.seen("contracts", "contract_id", "ended_on") for exports in (before, after)]
    assert ends[0] != ends[1], "the end itself is told"


def _begun(exports: Any, *columns: str) -> list[tuple[Any, ...]]:
    """Lines that had begun when the customer cancelled."""
    rows = exports.seen("contracts", *columns, "starts_on")
    return [row[:-1] for row in rows if row[-1] < CANCELLED_ON]


@pytest.mark.parametrize("state", ["Churned,false,2024-06-20,10,Old Customers", "Active,true,,90,Ines Roth"])
def test_deals_bear_nothing_of_todays_state(company: Callable[..., Any], state: str) -> None:
    exports = company(
        Account="Id,Name,Website,Industry,BillingCountry,OwnerId\n001A1,Alpha,alpha.com,Retail,US,005A1",
        Opportunity=f"""
            Id,AccountId,Name,Amount,CloseDate,StageName,IsWon,Type,ForecastCategory,Contract_Start_Date__c,Contract_End_Date__c,Status,Auto_Renew__c,Churn_Date__c,Health__c,Owner
            006A1,001A1,New,2400,2023-02-01,Closed Won,true,New,Closed,2023-03-01,2025-03-01,{state}
        """,
    )
    lines = exports.seen("contracts", "COLUMNS(*)")
    days = (date(2023, 3, 1), date(2025, 3, 1), date(2023, 2, 1))
    assert lines == [("006A1", "001A1", "new", *days, 100, None)]


def test_a_file_of_ones_own_tells_a_cancellation_by_its_day_alone(companies: Callable[..., Any]) -> None:
    sheet = (
        "contract_no,client_no,begin_date,end_date,annual_value,cancelled_on\nV1,K1,2024-01-01,2025-01-01,1200,{day}"
    )
    rows = {}
    for name, day in (("live", ""), ("cancelled", "2024-06-20")):
        exports = companies(name, clients="client_no,company\nK1,Alpha", agreements=sheet.format(day=day))
        rows[name] = exports.seen("contracts", "* EXCLUDE (ended_on)")
        assert "ended_on" in exports.last.tables["contracts"].columns
    assert rows["live"] == rows["cancelled"]


def test_a_flag_of_ones_own_that_is_switched_off_on_leaving_is_a_question(company: Callable[..., Any]) -> None:
    exports = company(
        clients="client_no,company\nK1,Alpha\nK2,Beta",
        agreements="""
            contract_no,client_no,begin_date,end_date,annual_value,auto_renew
            V1,K1,2024-01-01,2025-01-01,1200.00,true
            V2,K2,2024-03-01,2025-03-01,600.00,false
        """,
    )
    proposal = exports.proposed()
    assert "auto_renew" not in proposal.tables["contracts"].columns
    assert any("auto_renew" in question and "agreements.csv" in question for question in proposal.questions)
