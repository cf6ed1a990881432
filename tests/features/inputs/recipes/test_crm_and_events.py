"""HubSpot, Salesforce, Zendesk, Intercom, Segment, Mixpanel and Amplitude, each as two of its exports spell it."""

# ruff: noqa: E501 - rows of exports are wide

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

STRIPE = {
    "subscriptions": """
        id,Customer ID,Customer Description,Customer Email,Product,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start (UTC),Current Period Start (UTC),Current Period End (UTC),Canceled At (UTC),Ended At (UTC)
        sub_a,cus_a,Alpha,pay@alpha.com,Pro,1,usd,month,1000,active,2024-01-10 10:00,2024-01-10 10:00,2025-05-10 10:00,2025-06-10 10:00,,
        sub_b,cus_b,Beta,pay@beta.com,Pro,1,usd,month,1000,active,2024-01-10 10:00,2024-01-10 10:00,2025-05-10 10:00,2025-06-10 10:00,,
    """
}
HUBSPOT_EXPORT = {
    "companies": """
        Record ID,Company name,Company Domain Name,Company owner,Lifecycle Stage,Industry,Country/Region,Parent Company ID,Favourite colour
        9001001,Alpha Inc,www.alpha.com,Ines Roth,customer,Retail,US,,blue
        9001002,Beta,beta.com,Tom Falk,customer,Health,DE,9001001,red
        9001003,Prospect,prospect.com,Tom Falk,lead,Health,DE,,red
    """,
    "contacts": """
        Record ID,First Name,Last Name,Email,Associated Company IDs,Lifecycle Stage,Buying Role,Create Date
        501,Ann,A,ann@alpha.com,9001001,customer,champion,2024-01-01 10:00
        502,Bob,B,bob@beta.com,9001002;9001003,customer,,2024-01-01 10:00
    """,
    "calls": """
        Record ID,Activity date,Activity type,Activity assigned to,Call direction,Associated Company IDs
        1,2024-02-01 10:00,Call,Ines Roth,OUTBOUND,9001001
        2,2024-02-02 10:00,Call,Ines Roth,INBOUND,9001001
        3,2024-02-03 10:00,Call,Tom Falk,OUTBOUND,9001003
    """,
    "meetings": """
        Record ID,Activity date,Activity assigned to,Meeting source,Meeting outcome,Associated Contact IDs
        7,2024-03-01 10:00,Tom Falk,CRM_UI,NO_SHOW,502
        8,2024-03-02 10:00,Tom Falk,MEETINGS_PUBLIC,COMPLETED,502
    """,
}
HUBSPOT_WAREHOUSE = {
    "hubspot_company_data": """
        id,is_deleted,_fivetran_synced,property_name,property_domain,property_industry,property_country,property_hubspot_owner_id
        9001001,false,2025-01-01,Alpha Inc,alpha.com,Retail,US,11
        9001002,false,2025-01-01,Beta,beta.com,Health,DE,12
        9001009,true,2025-01-01,Gone,gone.com,Health,DE,12
    """,
    "hubspot_owner_data": """
        owner_id,created_at,portal_id,email,first_name,last_name,active_user_id
        11,2024-01-01,1,i@us.com,Ines,Roth,1
        12,2024-01-01,1,t@us.com,Tom,Falk,2
    """,
    "hubspot_contact_data": """
        id,_fivetran_deleted,property_email,property_firstname,property_associatedcompanyid,property_createdate
        501,false,ann@alpha.com,Ann,9001001,2024-01-01 10:00:00
        502,false,bob@beta.com,Bob,9001002,2024-01-01 10:00:00
    """,
    "hubspot_engagement_data": """
        id,type,timestamp,owner_id,portal_id
        1,CALL,2024-02-01 10:00:00,11,1
        2,INCOMING_EMAIL,2024-02-02 10:00:00,11,1
        3,TASK,2024-02-03 10:00:00,12,1
        4,NOTE,2024-02-04 10:00:00,12,1
    """,
    "hubspot_engagement_company_data": """
        company_id,engagement_id,engagement_type,category
        9001001,1,CALL,x
        9001001,2,INCOMING_EMAIL,x
        9001002,3,TASK,x
        9001002,4,NOTE,x
    """,
    "hubspot_contact_form_submission_data": """
        timestamp,form_id,contact_id,page_url,portal_id
        2024-04-01 10:00:00,f1,502,https://us.com/demo,1
    """,
}


def test_hubspots_records_give_attributes_contacts_actions_and_engagement(company: Callable[..., Any]) -> None:
    exports = company(**STRIPE, **HUBSPOT_EXPORT)
    accounts = ("account_id", "name", "industry", "region", "csm", "parent_account_id")
    assert exports.seen("accounts", *accounts) == [
        ("cus_a", "Alpha Inc", "Retail", "US", "Ines Roth", None),
        ("cus_b", "Beta", "Health", "DE", "Tom Falk", "cus_a"),
    ]
    assert exports.seen("csm_actions", "account_id", "acted_on", "action", "csm", "status") == [
        ("cus_a", date(2024, 2, 1), "call", "Ines Roth", "done"),
        ("cus_b", date(2024, 3, 1), "meeting", "Tom Falk", "missed"),
    ]
    assert exports.seen("engagement", "account_id", "happened_on", "kind") == [
        ("cus_a", date(2024, 2, 2), "call"),
        ("cus_b", date(2024, 3, 2), "meeting"),
    ]
    assert exports.seen("contacts", "contact_id", "account_id", "role") == [
        ("501", "cus_a", "champion"),
        ("502", "cus_b", None),
    ]
    assert "Favourite colour" in exports.file.read_text(), "what is not recognised is listed"


def test_hubspots_warehouse_tables_say_the_same(company: Callable[..., Any]) -> None:
    exports = company(**STRIPE, **HUBSPOT_WAREHOUSE)
    assert exports.seen("accounts", "account_id", "name", "csm") == [
        ("cus_a", "Alpha Inc", "Ines Roth"),
        ("cus_b", "Beta", "Tom Falk"),
    ]
    assert exports.seen("csm_actions", "account_id", "acted_on", "action", "csm") == [
        ("cus_a", date(2024, 2, 1), "call", "Ines Roth"),
        ("cus_b", date(2024, 2, 3), "task", "Tom Falk"),
    ]
    assert exports.seen("engagement", "account_id", "happened_on", "kind") == [
        ("cus_a", date(2024, 2, 2), "email"),
        ("cus_b", date(2024, 4, 1), "form"),
    ]


SALESFORCE_EXPORT = {
    "Account": """
        Id,Name,Website,Industry,BillingCountry,OwnerId,ParentId,IsDeleted,CSM__c
        001A0000001,Alpha Inc,https://alpha.com/home,Retail,US,005A1,,false,Ines Roth
        001A0000002,Beta,beta.com,Health,DE,005A2,,false,
        001A0000003,Gone,gone.com,Health,DE,005A2,,true,
    """,
    "User": """
        Id,Name,Email,Username,ProfileId
        005A1,Sam Seller,s@us.com,sam@us.com,p
        005A2,Tom Falk,t@us.com,tom@us.com,p
    """,
    "Contact": """
        Id,AccountId,Email,Title,CreatedDate,ReportsToId,MailingCountry,IsDeleted
        003A1,001A0000001,ann@alpha.com,CFO,2024-01-01T10:00:00.000Z,,US,false
    """,
    "Task": """
        Id,AccountId,WhatId,WhoId,ActivityDate,Status,Subject,TaskSubtype,OwnerId,IsDeleted
        00T1,001A0000001,,,2024-02-01,Completed,Call them,Call,005A1,false
        00T2,001A0000002,,,2024-02-02,Not Started,Send deck,Task,005A2,false
        00T3,,,003A1,2024-02-03,Completed,Mail,Email,005A1,false
    """,
    "Case": """
        Id,CaseNumber,AccountId,ContactId,CreatedDate,ClosedDate,Priority,Status,IsDeleted
        5001,0001,001A0000001,,2024-05-01T10:00:00.000Z,2024-05-03T10:00:00.000Z,High,Closed,false
    """,
}
SALESFORCE_WAREHOUSE = {
    "sf_account_data": """
        id,name,website,industry,billing_country,owner_id,parent_id,is_deleted,rating,sic,_fivetran_active
        001A0000001,Alpha Inc,alpha.com,Retail,US,005A1,,false,,,true
        001A0000001,Alpha old,alpha.com,Retail,US,005A2,,false,,,false
        001A0000002,Beta,beta.com,Health,DE,005A2,001A0000001,false,,,true
    """,
    "sf_user_data": """
        id,name,email,username,profile_id
        005A1,Sam Seller,s@us.com,sam@us.com,p
        005A2,Tom Falk,t@us.com,tom@us.com,p
    """,
    "sf_event_data": """
        id,account_id,activity_date,activity_date_time,owner_id,what_id,who_id,subject,is_deleted,no_show_c
        00U1,001A0000001,2024-02-01,2024-02-01 10:00:00,005A1,,,Review,false,false
        00U2,001A0000002,2024-02-05,2024-02-05 10:00:00,005A2,,,Review,false,true
    """,
}


def test_salesforces_objects_give_attributes_actions_and_cases(company: Callable[..., Any]) -> None:
    exports = company(**STRIPE, **SALESFORCE_EXPORT)
    assert exports.seen("accounts", "account_id", "name", "region", "csm", "seller") == [
        ("cus_a", "Alpha Inc", "US", "Ines Roth", "Sam Seller"),
        ("cus_b", "Beta", "DE", "Tom Falk", "Tom Falk"),
    ]
    assert exports.seen("csm_actions", "account_id", "acted_on", "action", "csm", "status") == [
        ("cus_a", date(2024, 2, 1), "call", "Sam Seller", "done"),
        ("cus_a", date(2024, 2, 3), "email", "Sam Seller", "done"),
        ("cus_b", date(2024, 2, 2), "task", "Tom Falk", "planned"),
    ]
    assert exports.seen("tickets", "account_id", "opened_at", "severity") == [
        ("cus_a", datetime(2024, 5, 1, 10), "high")
    ]
    assert exports.seen("contacts", "contact_id", "account_id", "role") == [("003A1", "cus_a", "CFO")]


def test_salesforces_warehouse_tables_say_the_same(company: Callable[..., Any]) -> None:
    exports = company(**STRIPE, **SALESFORCE_WAREHOUSE)
    assert exports.seen("accounts", "account_id", "name", "csm", "parent_account_id") == [
        ("cus_a", "Alpha Inc", "Sam Seller", None),
        ("cus_b", "Beta", "Tom Falk", "cus_a"),
    ]
    assert exports.seen("csm_actions", "account_id", "acted_on", "action", "status") == [
        ("cus_a", date(2024, 2, 1), "meeting", "done"),
        ("cus_b", date(2024, 2, 5), "meeting", "missed"),
    ]


ZENDESK_EXPORT = {
    "tickets": """
        ID,Created at,Solved at,Status,Priority,Organization,Requester,Requester email,Satisfaction rating
        91,2024-02-01T10:00:00Z,2024-02-02T10:00:00Z,Solved,Normal,Alpha,Ann,ann@alpha.com,good
        92,2024-02-03T10:00:00Z,,Open,Urgent,Beta,Bob,bob@beta.com,offered
        93,2024-02-03T10:00:00Z,,Open,Urgent,Nobody,Nob,nob@gmail.com,bad
    """
}
ZENDESK_WAREHOUSE = {
    "zendesk_ticket_data": """
        id,created_at,updated_at,status,priority,organization_id,requester_id,submitter_id,via_channel
        91,2024-02-01 10:00:00,2024-02-02 10:00:00,closed,normal,,3302,3302,web
        92,2024-02-03 10:00:00,2024-02-04 10:00:00,open,urgent,440002,3303,3303,email
    """,
    "zendesk_organization_data": """
        id,name,created_at,details,shared_tickets
        440001,Alpha,2024-01-01,,false
        440002,Beta,2024-01-01,,false
    """,
    "zendesk_domain_name_data": """
        index,organization_id,domain_name
        0,440001,alpha.com
        0,440002,beta.com
    """,
    "zendesk_user_data": """
        id,email,organization_id,role,suspended,verified,created_at
        3302,ann@alpha.com,440001,end-user,false,true,2024-01-01
        3303,bob@beta.com,440002,end-user,false,true,2024-01-01
        3309,agent@us.com,,agent,false,true,2024-01-01
    """,
    "zendesk_ticket_field_history_data": """
        field_name,ticket_id,updated,user_id,value
        status,91,2024-02-01 18:00:00,3309,solved
        status,91,2024-02-05 18:00:00,3309,closed
        status,92,2024-02-03 18:00:00,3309,open
    """,
    "zendesk_ticket_comment_data": """
        id,ticket_id,created,public,user_id,body
        1,91,2024-02-01 10:00:00,true,3302,help
        2,91,2024-02-01 11:00:00,true,3309,hello
    """,
}


def test_zendesks_tickets_and_ratings_by_the_requesters_domain(company: Callable[..., Any]) -> None:
    exports = company(**STRIPE, **ZENDESK_EXPORT)
    assert exports.seen("tickets", "account_id", "opened_at", "resolved_at", "severity") == [
        ("cus_a", datetime(2024, 2, 1, 10), datetime(2024, 2, 2, 10), "medium"),
        ("cus_b", datetime(2024, 2, 3, 10), None, "urgent"),
    ]
    assert exports.seen("surveys", "account_id", "responded_on", "kind", "score") == [
        ("cus_a", date(2024, 2, 2), "csat", 5)
    ]


def test_zendesks_warehouse_tables_tell_first_replies_from_comments(company: Callable[..., Any]) -> None:
    exports = company(**STRIPE, **ZENDESK_WAREHOUSE)
    assert exports.seen("tickets", "account_id", "opened_at", "first_response_at", "severity") == [
        ("cus_a", datetime(2024, 2, 1, 10), datetime(2024, 2, 1, 11), "medium"),
        ("cus_b", datetime(2024, 2, 3, 10), None, "urgent"),
    ]
    assert exports.seen("tickets", "account_id", "resolved_at")[0][1] is not None


INTERCOM_EXPORT = {
    "conversations": """
        Conversation ID,Conversation started at,Conversation state,Contact ID,User email,Rating,Closed at
        88001,2024-02-01 10:00:00,closed,i1,ann@alpha.com,4,2024-02-01 12:00:00
        88002,2024-02-02 10:00:00,open,i2,bob@beta.com,,
    """,
    "contacts": """
        Contact ID,Email,Signed up at,Last seen at,Company ID
        i1,ann@alpha.com,2024-01-01,2024-03-01,
        i2,bob@beta.com,2024-01-01,2024-03-01,
    """,
}
INTERCOM_WAREHOUSE = {
    "intercom_conversation_history_data": """
        id,updated_at,created_at,state,priority,source_author_type,conversation_rating_value,waiting_since,_fivetran_active
        88001,1706788800,1706781600,closed,priority,user,5,,true
        88001,1706785200,1706781600,open,priority,user,,,false
        88003,1706785200,1706781600,open,not_priority,admin,,,true
    """,
    "intercom_conversation_contact_history_data": """
        contact_id,conversation_id,conversation_updated_at,_fivetran_active
        i1,88001,1706788800,true
        i1,88003,1706788800,true
    """,
    "intercom_contact_history_data": """
        id,email,role,signed_up_at,last_seen_at,created_at,_fivetran_active
        i1,ann@alpha.com,user,1704103200,1706788800,1704103200,true
    """,
    "intercom_company_history_data": """
        id,company_id,name,website,monthly_spend,session_count,_fivetran_active
        ic1,cus_a,Alpha,,100,3,true
    """,
    "intercom_contact_company_history_data": """
        company_id,contact_id,contact_updated_at,_fivetran_active
        ic1,i1,1706788800,true
    """,
}


def test_intercoms_conversations_become_tickets_and_ratings(company: Callable[..., Any]) -> None:
    exports = company(**STRIPE, **INTERCOM_EXPORT)
    assert exports.seen("tickets", "account_id", "opened_at", "resolved_at") == [
        ("cus_a", datetime(2024, 2, 1, 10), datetime(2024, 2, 1, 12)),
        ("cus_b", datetime(2024, 2, 2, 10), None),
    ]
    assert exports.seen("surveys", "account_id", "score") == [("cus_a", 4)]


def test_intercoms_warehouse_tables_join_by_the_companys_own_id(company: Callable[..., Any]) -> None:
    exports = company(**STRIPE, **INTERCOM_WAREHOUSE)
    assert exports.seen("tickets", "account_id", "opened_at", "severity") == [
        ("cus_a", datetime(2024, 2, 1, 10), "high")
    ]
    assert exports.seen("surveys", "account_id", "score") == [("cus_a", 5)]


EVENTS = {
    "segment tracks by users": {
        "tracks": """
            id,event,event_text,user_id,anonymous_id,timestamp,received_at,sent_at
            m1,report_made,Report Made,u1,x1,2024-02-01T10:00:00.000Z,2024-02-01T10:00:01.000Z,2024-02-01T10:00:00.000Z
            m2,report_made,Report Made,u1,x1,2024-02-01T11:00:00.000Z,2024-02-01T11:00:01.000Z,2024-02-01T11:00:00.000Z
            m3,report_made,Report Made,u9,x9,2024-02-01T11:00:00.000Z,2024-02-01T11:00:01.000Z,2024-02-01T11:00:00.000Z
        """,
        "identifies": """
            user_id,email,anonymous_id,received_at
            u1,ann@alpha.com,x1,2024-01-01T10:00:00.000Z
            u9,nobody@gmail.com,x9,2024-01-01T10:00:00.000Z
        """,
    },
    "segment events by groups": {
        "segment_events": """
            messageId,event,userId,anonymousId,originalTimestamp,sentAt,context_groupId
            m1,report_made,u1,x1,2024-02-01T10:00:00Z,2024-02-01T10:00:00Z,cus_a
            m2,report_made,u1,x1,2024-02-01T11:00:00Z,2024-02-01T11:00:00Z,cus_a
        """
    },
    "mixpanel export": {
        "mixpanel": """
            event,time,distinct_id,$insert_id,mp_lib,$email
            report_made,1706781600,u1,a,web,
            report_made,1706785200,u1,b,web,ann@alpha.com
        """
    },
    "mixpanel warehouse": {
        "mixpanel_event": """
            event_id,name,time,distinct_id,mp_processing_time_ms,properties,account_id
            1,report_made,2024-02-01 10:00:00,u1,1706781600000,{},cus_a
            2,report_made,2024-02-01 11:00:00,u1,1706781600000,{},cus_a
        """
    },
    "amplitude export": {
        "amplitude": """
            event_type,event_time,user_id,amplitude_id,user_properties,uuid
            report_made,2024-02-01 10:00:00.123,ann@alpha.com,77,{},q1
            report_made,2024-02-01 11:00:00.123,ann@alpha.com,77,{},q2
            session_start,2024-02-01 11:00:00.123,ann@alpha.com,77,{},q3
        """
    },
    "amplitude warehouse": {
        "amplitude_event_data": """
            _insert_id,amplitude_id,event_time,event_type,group_properties,groups,user_id,user_properties
            q1,77,2024-02-01 10:00:00,report_made,{},"{""company_id"":""cus_a""}",u1,{}
            q2,77,2024-02-01 11:00:00,report_made,{},"{""company_id"":""cus_a""}",u1,{}
        """
    },
}


@pytest.mark.parametrize("sheets", EVENTS.values(), ids=EVENTS)
def test_events_become_use_a_day_of_the_account(company: Callable[..., Any], sheets: dict[str, str]) -> None:
    exports = company(**STRIPE, **sheets)
    [(account, day, feature, quantity)] = exports.seen("usage", "account_id", "used_on", "feature", "quantity")
    assert (account, day, quantity) == ("cus_a", date(2024, 2, 1), 2)
    assert feature.lower().replace(" ", "_") == "report_made"


def test_where_no_key_is_shared_it_asks_and_leaves_out(company: Callable[..., Any]) -> None:
    sheets = {"tracks": EVENTS["segment tracks by users"]["tracks"]}
    proposal = company(**STRIPE, **sheets).proposed()
    assert "usage" not in proposal.tables
    assert any("tracks.csv" in question and "cannot be joined" in question for question in proposal.questions)


def test_several_customers_of_one_company_are_one_account(company: Callable[..., Any]) -> None:
    twice = STRIPE["subscriptions"] + STRIPE["subscriptions"].strip().splitlines()[1].replace("_a", "_a2")
    exports = company(subscriptions=twice, **HUBSPOT_EXPORT)
    assert exports.seen("accounts", "account_id") == [("9001001",), ("9001002",)]
    assert exports.seen("contracts", "account_id") == [("9001001",), ("9001001",), ("9001002",)]


def test_deals_are_contracts_where_nothing_bills(company: Callable[..., Any]) -> None:
    deals = """
        Record ID,Deal Name,Deal Stage,Pipeline,Amount,Close Date,Associated Company IDs,Deal Type
        31,Alpha new,Closed Won,Sales,1200,2024-02-01,9001001,newbusiness
        32,Alpha renewal,Closed Won,Sales,2400,2025-02-01,9001001,renewal
        33,Beta lost,Closed Lost,Sales,900,2024-02-01,9001002,newbusiness
    """
    exports = company(deals=deals, **HUBSPOT_EXPORT)
    assert exports.seen("contracts", "account_id", "kind", "starts_on", "ends_on", "mrr") == [
        ("9001001", "new", date(2024, 2, 1), date(2025, 2, 1), 100),
        ("9001001", "renewal", date(2025, 2, 1), date(2026, 2, 1), 200),
    ]
    assert any("amount of a deal" in question for question in exports.proposed().questions)


DEAL_TIMES = {
    "by their dates": (",Contract Start Date,Contract End Date", ",2023-02-01,2025-02-01", 1000),
    "by a last day": (",Contract Start Date,Contract End Date", ",2023-02-01,2025-01-31", 1000),
    "by their dates before their term": (
        ",Contract Start Date,Contract End Date,Term",
        ",2023-02-01,2025-02-01,12",
        1000,
    ),
    "by their term": (",Contract Term", ",24", 1000),
    "by their term where no start is given": (",Contract End Date,Contract Term", ",2025-02-01,24", 1000),
    "from the day they closed": (",Contract End Date", ",2025-01-10", 1000),
    "by a year": ("", "", 2000),
    "by what is a month's": (",Contract Start Date,Contract End Date,MRR", ",2023-02-01,2025-02-01,700", 700),
}


@pytest.mark.parametrize(("names", "cells", "mrr"), DEAL_TIMES.values(), ids=DEAL_TIMES)
def test_the_amount_of_a_deal_is_divided(company: Callable[..., Any], names: str, cells: str, mrr: float) -> None:
    deals = f"""
        Record ID,Deal Name,Deal Stage,Pipeline,Amount,Close Date,Associated Company IDs,Deal Type{names}
        31,Alpha new,Closed Won,Sales,24000,2023-01-10,9001001,newbusiness{cells}
    """
    assert company(deals=deals, **HUBSPOT_EXPORT).seen("contracts", "mrr") == [(mrr,)]


def test_what_is_named_twice_is_taken_the_same_way_each_time(company: Callable[..., Any]) -> None:
    twice = STRIPE["subscriptions"].replace("sub_b,cus_b,Beta,pay@beta.com", "sub_b,cus_a,Beta,pay@beta.com")
    exports = company(subscriptions=twice, **EVENTS["segment tracks by users"])
    text = str(exports.proposed().parts) + exports.proposed().tables["accounts"].query
    assert "any_value" not in text
    assert exports.seen("accounts", "account_id", "name") == [("cus_a", "Alpha")]


def test_exports_of_several_months_are_one_list(company: Callable[..., Any]) -> None:
    first = EVENTS["segment events by groups"]["segment_events"]
    later = first.replace("2024-02-01", "2024-03-01") + first.strip().splitlines()[1]
    exports = company(**STRIPE, segment_events_2024_02=first, segment_events_2024_03=later)
    assert exports.seen("usage", "used_on", "quantity") == [(date(2024, 2, 1), 2), (date(2024, 3, 1), 2)]


def test_a_second_export_of_the_subscriptions_is_a_question(company: Callable[..., Any]) -> None:
    proposal = company(**STRIPE, subscriptions_old=STRIPE["subscriptions"]).proposed()
    assert proposal.rows["contracts"] == 2
    assert any("looks like another export of what is in subscriptions" in question for question in proposal.questions)


DBT = {
    "stg_stripe__subscription": """
        subscription_id,customer_id,status,is_cancel_at_period_end,canceled_at,created_at,current_period_start,current_period_end,start_date_at,ended_at
        sub_1,cus_a,active,false,,2024-01-05 00:00:00,2025-05-05 00:00:00,2025-06-05 00:00:00,2024-01-05 00:00:00,
    """,
    "stg_stripe__subscription_item": """
        subscription_item_id,plan_id,subscription_id,created_at,quantity
        si_1,price_1,sub_1,2024-01-05 00:00:00,3
    """,
    "stg_stripe__price_plan": """
        price_plan_id,is_active,unit_amount,currency,recurring_interval,recurring_interval_count,recurring_usage_type,nickname
        price_1,true,1000,usd,month,1,licensed,Pro
    """,
    "stg_stripe__customer": """
        customer_id,customer_name,email,is_delinquent,created_at,is_deleted
        cus_a,Alpha,pay@alpha.com,false,2024-01-05 00:00:00,false
    """,
    "stg_hubspot__company": """
        company_id,company_name,industry,created_date,is_company_deleted
        9001001,Alpha,Retail,2024-01-01,false
    """,
    "stg_zendesk__ticket": """
        ticket_id,created_at,updated_at,organization_id,requester_id,status,priority,created_channel
        91,2024-02-01 10:00:00,2024-02-02 10:00:00,440001,3302,closed,normal,web
    """,
    "stg_zendesk__organization": """
        organization_id,name,details,external_id
        440001,Alpha,,cus_a
    """,
    "stg_mixpanel__event": """
        event_id,event_type,occurred_at,people_id,insert_id,account_id
        1,report_made,2024-02-01 10:00:00,u1,q,cus_a
    """,
}


def test_the_models_of_dbt_packages_are_recognised_too(company: Callable[..., Any]) -> None:
    exports = company(**DBT)
    assert exports.seen("contracts", "account_id", "product", "mrr", "seats") == [("cus_a", "Pro", 30, 3)]
    assert exports.seen("accounts", "account_id", "name", "industry") == [("cus_a", "Alpha", "Retail")]
    assert exports.seen("tickets", "account_id", "opened_at") == [("cus_a", datetime(2024, 2, 1, 10))]
    assert exports.seen("usage", "account_id", "used_on") == [("cus_a", date(2024, 2, 1))]
    assert exports.proposed().guesses == ()


def test_a_join_by_names_alone_is_a_question(company: Callable[..., Any]) -> None:
    sheets = {"tickets": ZENDESK_EXPORT["tickets"].replace("Requester email", "Handle").replace("Beta", "Beta Inc.")}
    proposal = company(**STRIPE, **sheets).proposed()
    assert proposal.rows["tickets"] == 2
    assert any("Nothing but names agrees" in question for question in proposal.questions)
