"""The tools: each is one question that the API answers; their inputs and words are those of the API's description."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

Schema = dict[str, Any]
_REFERENCE = "#/components/schemas/"


@dataclass(frozen=True)
class Tool:
    """A tool, and the route of the API that answers it.

    `note` is said to the assistant beside the route's own words.
    """

    name: str
    route: str
    method: str = "GET"
    note: str = ""


TOOLS = (
    Tool("about", "/api", note="Ask this first: what can be asked for, and what must be said with the figures."),
    Tool("book", "/api/accounts", note="`csm` for one book; `sort` by churn_probability, arr_at_risk or renews_on."),
    Tool("account", "/api/accounts/{account_id}", note="The reasons are in `drivers`, as sentences to be quoted."),
    Tool(
        "impact_sheet",
        "/api/sheets/{account_id}",
        note="It may be handed to the customer as it is: add nothing of other tools to it.",
    ),
    Tool("forecast", "/api/nrr", note="Say the 80 % interval, p10 to p90, with every mean."),
    Tool("renewals", "/api/renewals"),
    Tool("movements", "/api/movements"),
    Tool("forecast_change", "/api/bridge", note="The steps add up to the change, to the cent."),
    Tool(
        "plays",
        "/api/actions",
        note="What to do with the hours there are; say whether an effect is estimated or assumed.",
    ),
    Tool("play_answers", "/api/actions/answers"),
    Tool("plays_on_record", "/api/actions/record", note="What accounts did after a play is no effect of it: say so."),
    Tool("scenario", "/api/scenario", note="Say what is assumed in it; not for one book."),
    Tool("effects", "/api/effects", note="Quote the conclusion and the interval, never the estimate alone."),
    Tool("process_review", "/api/process", note="Say of each figure of NRR whether it is estimated or assumed."),
    Tool("holdout", "/api/holdout", note="Tell no CSM which accounts are withheld: that would spoil the trial."),
    Tool("health", "/api/health", note="A rule of the business, and no probability: say so."),
    Tool("alerts", "/api/alerts", note="What happened and what to do first; say who has taken it up."),
    Tool("kpis", "/api/kpis", note="Say the definition and n with a figure."),
    Tool("cohorts", "/api/cohorts"),
    Tool("pay", "/api/pay", note="Say how much of the differences is luck; compare nobody with another person."),
    Tool("scorecards", "/api/scorecards", note="Compare nobody with another person; quote the word as it is."),
    Tool("model_watch", "/api/watch", note="Whether it was a bad month or a bad model."),
    Tool("escalations", "/api/escalations", note="What leadership was told, why, and who has taken it up."),
    Tool("review", "/api/review", note="Whose step is next, and by when; what is proposed nobody has decided yet."),
    Tool("losses", "/api/losses", note="A sign that showed before is no proof of the cause; say how many n is."),
    Tool("whitespace", "/api/whitespace", note="What similar customers own is no promise that this one will buy."),
    Tool("voice", "/api/voice", note="Those who answer are not all customers: say the response rate."),
    Tool("behaviours", "/api/behaviours", note="It goes with staying and need not cause it: say so."),
    Tool("ideal_customer", "/api/icp", note="Say n and the interval; stretch means that nothing is shown."),
    Tool("past_scores", "/api/history"),
    Tool("past_forecasts", "/api/forecasts"),
    Tool("track_record", "/api/track-record", note="Whether the forecasts can be trusted."),
    Tool("calls", "/api/calls", note="What people forecast themselves, beside the model's figure."),
    Tool("model", "/api/model", note="Among `inputs` are those that `rescore` may change."),
    Tool("rescore", "/api/live", "POST", note="It is not what an action would change."),
)


@dataclass(frozen=True)
class Question:
    """What is asked of the API: a method, an address, and the body that goes with it."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""


def described(tool: Tool, api: Mapping[str, Any]) -> tuple[str, Schema]:
    """The words and the inputs of a tool.

    Parameters
    ----------
    tool
        The tool.
    api
        The API's OpenAPI document.

    Returns
    -------
    tuple
        The description, and the JSON schema of the input.
    """
    operation = _operation(tool, api)
    words = " ".join(f"{operation['description']} {tool.note}".split())
    if "requestBody" in operation:
        return words, _whole(operation["requestBody"]["content"]["application/json"]["schema"], api)
    parameters = _parameters(operation)
    properties = {one["name"]: _property(one) for one in parameters}
    required = [one["name"] for one in parameters if one.get("required")]
    return words, _whole({"type": "object", "properties": properties, "required": required,
                          "additionalProperties": False}, api)  # fmt: skip


def question(tool: Tool, given: Mapping[str, Any]) -> Question:
    """What a tool asks with what was given; the API says what is wrong with it."""
    if tool.method == "POST":
        return Question(tool.method, tool.route, body=json.dumps(given).encode())
    values = {name: value for name, value in given.items() if value is not None}
    path = tool.route
    if "{account_id}" in path:
        path = path.replace("{account_id}", "")
        values["id"] = values.pop("account_id", "")
    return Question(tool.method, path, urlencode(values, doseq=True, quote_via=quote))


def _operation(tool: Tool, api: Mapping[str, Any]) -> Mapping[str, Any]:
    operation: Mapping[str, Any] = api["paths"][tool.route][tool.method.lower()]
    return operation


def _parameters(operation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a route is asked by; of one that names an account in its path, that name alone."""
    parameters: list[Mapping[str, Any]] = operation.get("parameters", [])
    return [one for one in parameters if one["in"] == "path"] or parameters


def _property(parameter: Mapping[str, Any]) -> Schema:
    words = {"description": parameter["description"]} if "description" in parameter else {}
    return {**parameter["schema"], **words}


def _whole(schema: Mapping[str, Any], api: Mapping[str, Any]) -> Schema:
    """A schema that holds all it refers to."""
    parts = api.get("components", {}).get("schemas", {})
    names: set[str] = set()
    text = json.dumps(schema)
    while True:
        more = {name for name in parts if f'"{_REFERENCE}{name}"' in text} - names
        if not more:
            break
        names |= more
        text += "".join(json.dumps(parts[name]) for name in more)
    top = schema if "$ref" not in schema else parts[str(schema["$ref"]).removeprefix(_REFERENCE)]
    whole = dict(top) | ({"$defs": {name: parts[name] for name in sorted(names)}} if names else {})
    held: Schema = json.loads(json.dumps(whole).replace(_REFERENCE, "#/$defs/"))
    return held
