"""The lists that the service publishes, declared once: of the forecast's tables, the columns that are published.

The published store, the API's rows and the downloads follow from these declarations.
"""

from collections.abc import Mapping
from dataclasses import replace

from serving.forecast.declared.acting_tables import RECOMMENDED_ACTION
from serving.forecast.declared.column import Form, Kind, OutColumn, OutTable, Place
from serving.forecast.declared.output_tables import (
    ACCOUNT_FACTS,
    ACCOUNT_FIGURES,
    ACCOUNT_ID,
    ARR,
    AS_OF,
    CUT_AND_VALUE,
    DEFINITION,
    FORECAST_BRIDGE,
    HORIZON,
    INTERVAL,
    MADE_AT,
    MODEL_VERSION,
    NRR_FORECAST,
    PUBLISHED,
    RENEWAL_FORECAST,
    RUN_ID,
    YEARLY,
)

FORECAST_METRICS = ("nrr", "grr")
"""Of each publication these stay on record, and `FORECASTS` lists them."""
HISTORY_KINDS = ("published", "rescored")

CSM = OutColumn(
    "csm", Kind.TEXT, "", "The CSM whose book it is in", places=(*PUBLISHED, Place.BOOK), head="CSM", sortable=True
)
LABELS = (
    CSM,
    OutColumn("segment", Kind.TEXT, "", "Its segment", places=(*PUBLISHED, Place.BOOK), optional=True, sortable=True),
    OutColumn("region", Kind.TEXT, "", "Its region", places=PUBLISHED, optional=True),
)
"""The attributes with a column of their own in the list of accounts."""
_NAME = OutColumn(
    "name",
    Kind.TEXT,
    "",
    "Its name",
    places=(*PUBLISHED, Place.BOOK, Place.AT_RISK),
    head="Account",
    form=Form.ACCOUNT,
    sortable=True,
)
_TREND = OutColumn(
    "trend",
    Kind.NUMBER,
    "probability",
    "Change of the churn probability since the snapshot before",
    places=(*PUBLISHED, Place.BOOK, Place.AT_RISK),
    form=Form.CHANGE,
    optional=True,
    sortable=True,
)
_TOP_REASON = OutColumn(
    "top_reason",
    Kind.TEXT,
    "",
    "What the customer or the team does that raises its churn probability most; else that nothing is unusual, and the "
    "date of its renewal",
    places=(*PUBLISHED, Place.BOOK, Place.AT_RISK),
    form=Form.REASON,
)
_BESIDE_PEERS = (
    OutColumn(
        "peer_churn_probability",
        Kind.SHARE,
        "probability",
        "Mean churn probability over the longest horizon of its peers: accounts like it in size, segment and calendar",
        places=(*PUBLISHED, Place.BOOK),
        head="Peers",
        sortable=True,
    ),
    OutColumn(
        "above_peers",
        Kind.NUMBER,
        "probability",
        "Its churn probability over the longest horizon, less that of its peers",
        places=PUBLISHED,
        sortable=True,
    ),
    OutColumn(
        "arr_above_peers",
        Kind.MONEY,
        YEARLY,
        "ARR x what its churn probability over the longest horizon exceeds that of its peers by",
        places=PUBLISHED,
        sortable=True,
    ),
)
_GROWTH_REASON = OutColumn(
    "growth_reason",
    Kind.TEXT,
    "",
    "What the customer or the team does that raises its chance of expansion most; empty if nothing does",
    places=PUBLISHED,
)
ABOUT_AN_ACCOUNT = (_NAME, CSM, _TREND, _TOP_REASON)
"""What is published of an account beside its forecast."""

ACCOUNTS = OutTable(
    "accounts",
    "Accounts over one horizon",
    ("account_id",),
    (
        ACCOUNT_ID,
        _NAME,
        *LABELS,
        *ACCOUNT_FACTS,
        HORIZON,
        *ACCOUNT_FIGURES,
        *_BESIDE_PEERS,
        _TREND,
        _TOP_REASON,
        _GROWTH_REASON,
    ),
    lead=("name", "csm", "segment", "arr", "churn_probability", "peer_churn_probability", "trend"),
    trail=("renews_on", "top_reason"),
)
NRR = OutTable(
    "nrr",
    "NRR, GRR and what they are made of",
    NRR_FORECAST.key,
    (*NRR_FORECAST.at(Place.API), replace(DEFINITION, places=PUBLISHED)),
)
RENEWALS = OutTable(
    "renewals",
    "Renewals by the month in which terms end",
    RENEWAL_FORECAST.key,
    RENEWAL_FORECAST.at(Place.API),
    RENEWAL_FORECAST.lead,
)
MOVEMENTS = OutTable(
    "movements",
    "Movements of ARR in the last twelve months",
    ("account_id", "movement", "product"),
    (
        ACCOUNT_ID,
        CSM,
        OutColumn(
            "movement",
            Kind.TEXT,
            "",
            "new, reactivation, resume, upsell, cross_sell, price_change, currency, contraction, pause, churn",
            places=PUBLISHED,
        ),
        OutColumn("product", Kind.TEXT, "", "The product, where lines name one", places=PUBLISHED, optional=True),
        OutColumn("amount", Kind.MONEY, YEARLY, "Change of ARR", places=PUBLISHED),
    ),
)
HISTORY = OutTable(
    "history",
    "Past churn probabilities over the longest horizon",
    ("account_id", "as_of", "kind"),
    (
        ACCOUNT_ID,
        replace(AS_OF, places=PUBLISHED),
        OutColumn(
            "kind",
            Kind.TEXT,
            "",
            "published = said then; rescored = today's model on what was known then",
            places=PUBLISHED,
            values=HISTORY_KINDS,
        ),
        replace(MODEL_VERSION, places=PUBLISHED),
        *(figure for figure in ACCOUNT_FIGURES if figure.name == "churn_probability"),
        replace(ARR, meaning="ARR then"),
    ),
)
FORECASTS = OutTable(
    "forecasts",
    "NRR and GRR as this and earlier publications forecast them",
    ("cut", "value", "metric", "horizon_months", "as_of"),
    (
        *CUT_AND_VALUE,
        OutColumn("metric", Kind.TEXT, "", " or ".join(FORECAST_METRICS), places=PUBLISHED, values=FORECAST_METRICS),
        HORIZON,
        replace(AS_OF, places=PUBLISHED),
        replace(RUN_ID, places=PUBLISHED),
        replace(MADE_AT, places=(Place.API,)),
        replace(MODEL_VERSION, places=PUBLISHED),
        *(column for column in NRR_FORECAST if column.name in ("mean", *INTERVAL[:2])),
    ),
)
BRIDGE = OutTable(
    "bridge",
    "From the last official forecast before to this one, account by account",
    FORECAST_BRIDGE.key,
    (ACCOUNT_ID, CSM, *(column for column in FORECAST_BRIDGE.at(Place.API) if column.name != ACCOUNT_ID.name)),
)
ACTIONS = OutTable(
    "actions",
    "What to do next for each account within the hours there are",
    RECOMMENDED_ACTION.key,
    (ACCOUNT_ID, _NAME, *(column for column in RECOMMENDED_ACTION.at(Place.API) if column.name != ACCOUNT_ID.name)),
    lead=("rank", "csm", "name", "action"),
)
LISTS: Mapping[str, OutTable] = {
    t.name: t for t in (ACCOUNTS, NRR, RENEWALS, MOVEMENTS, BRIDGE, HISTORY, FORECASTS, ACTIONS)
}
