"""The OpenAPI document against the service: schemathesis asks what the document allows, and what it does not."""

import warnings
from typing import Any

import hypothesis
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import CHECKS

EXAMPLES, MANY_EXAMPLES = 12, 100
PATHS = (
    "/api",
    "/api/score",
    "/api/live",
    "/api/accounts",
    "/api/accounts.{kind}",
    "/api/accounts/{account_id}",
    "/api/nrr",
    "/api/nrr.{kind}",
    "/api/renewals",
    "/api/renewals.{kind}",
    "/api/movements",
    "/api/movements.{kind}",
    "/api/bridge",
    "/api/bridge.{kind}",
    "/api/history",
    "/api/history.{kind}",
    "/api/health",
    "/api/health.{kind}",
    "/api/forecasts",
    "/api/forecasts.{kind}",
    "/api/actions",
    "/api/actions.{kind}",
    "/api/actions/answer",
    "/api/actions/answers",
    "/api/actions/record",
    "/api/effects",
    "/api/process",
    "/api/scenario",
    "/api/kpis",
    "/api/cohorts",
    "/api/cohorts.{kind}",
    "/api/holdout",
    "/api/pay",
    "/api/pay.{kind}",
    "/api/scorecards",
    "/api/watch",
    "/api/losses",
    "/api/losses.{kind}",
    "/api/whitespace",
    "/api/whitespace.{kind}",
    "/api/sheets/{account_id}",
    "/api/voice",
    "/api/behaviours",
    "/api/icp",
    "/api/track-record",
    "/api/calls",
    "/api/alerts",
    "/api/escalations",
    "/api/review",
    "/api/model",
    "/metrics",
    "/readyz",
)
pytestmark = pytest.mark.filterwarnings()


def document(service: Any) -> dict[str, Any]:
    return dict(service.client().get("/openapi.json").json())


def test_the_document_lists_every_endpoint_with_its_errors(service: Any) -> None:
    paths = document(service)["paths"]
    assert set(PATHS) == set(paths)
    for path, methods in paths.items():
        for operation in methods.values():
            assert operation["description"], path
            assert {"401", "403", "404", "422", "429", "500", "503"} <= set(operation["responses"])
    assert {"400", "413", "415"} <= set(paths["/api/score"]["post"]["responses"])
    schemas = document(service)["components"]["schemas"]
    assert schemas["ScoreRequest"]["example"]["account_ids"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_that_schemathesis_sends_breaks_it(service: Any, path: str, attack: Any) -> None:
    """No 5xx, no status or content type that is not documented, bodies as declared."""
    schema = schemathesis.openapi.from_dict(document(service))
    client = service.client()
    operations = [one.ok() for one in schema.get_all_operations() if one.ok().path == path]
    assert operations
    wanted = (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
    checks = CHECKS.get_by_names(list(wanted))

    @hypothesis.given(case=hypothesis.strategies.one_of(*(operation.as_strategy() for operation in operations)))
    @hypothesis.settings(max_examples=attack.size(EXAMPLES, MANY_EXAMPLES), deadline=None, database=None,
                         derandomize=True, suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
    def ask(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url="http://127.0.0.1:3000")
        more = {key: sent[key] for key in ("json", "params", "headers") if sent.get(key)}
        # tokens that it makes up would be refused before anything else is looked at
        more["headers"] = {k: v for k, v in more.get("headers", {}).items() if k.lower() != "authorization"}
        answer = client(sent["method"], sent["url"], **more)
        assert answer.status_code < 500, answer.text
        case.validate_response(schemathesis.Response.from_any(answer), checks=checks)
        attack.count("requests by schemathesis, all answered as documented")

    ask()
