"""What there is to tell: read off what is published and how the last night ended, so that it can be read again."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from params import Params
from serving.alerts.escalating import OPEN, escalations_of
from serving.alerts.standing import NEW, open_alerts
from serving.forecast.refusals import NoPublication
from serving.ledger.record import open_record
from serving.outlets.messages import News
from serving.publication import publication_file
from serving.publication.account_filter import AccountFilter
from serving.publication.last_night import last_night
from serving.publication.reader import Published, open_newest

_OF_AN_ALERT = ("alert_id", "rule", "kind", "account_id", "name", "csm", "arr", "value", "says", "fired_on", "steps")
_OF_AN_ESCALATION = ("number", "what", "cut", "group", "value", "limit", "raised_on", "says", "causes")
_TOLD = 10  # alerts in a message that people read; a program gets all


def latest_news(params: Params, now: datetime) -> list[News]:
    """What there is to tell now.

    Parameters
    ----------
    params
        The settings.
    now
        The time (UTC), for a night that hangs.
    """
    return [*_of_the_publication(params), *_of_the_night(params, now)]


def _of_the_publication(params: Params) -> Iterator[News]:
    try:
        published = open_newest(publication_file.folder_of(params.data_dir))
    except NoPublication:
        return
    with published:
        yield _forecast_published(published)
        yield from _of_the_alerts(published, params)


def _forecast_published(published: Published) -> News:
    about: dict[str, Any] = published.about
    horizon = int(about["horizon_months"])
    rows = published.nrr(cut="total", value="total", horizon_months=horizon)
    by_metric = {row["metric"]: row for row in rows}
    figures = {
        metric: {name: by_metric[metric][name] for name in ("mean", "p10", "p90")}
        for metric in ("nrr", "grr", "logo_retention")
        if metric in by_metric
    }
    data = {name: about[name] for name in ("as_of", "run_id", "model_version", "made_at", "currency", "accounts")}
    data |= {
        "horizon_months": horizon,
        "figures": figures,
        "definition": about["definition"],
        "head": published.record_head,
    }
    return News("forecast.published", str(about["run_id"]), str(about["made_at"]), data, _words(data))


def _of_the_alerts(published: Published, params: Params) -> Iterator[News]:
    """New alerts of the date that is published, within the budget of each CSM, and what stands before leadership."""
    as_of, made_at = str(published.about["as_of"]), str(published.about["made_at"])
    rows = published.rows(AccountFilter(published.horizon_months, limit=None))
    names, csms, arrs = ({row["account_id"]: row[column] for row in rows} for column in ("name", "csm", "arr"))
    with open_record(params) as record:
        alerts = open_alerts(record, params, date.fromisoformat(as_of), names, csms, arrs)
        raised = escalations_of(record, date.fromisoformat(as_of), params)
    new = [{name: row[name] for name in _OF_AN_ALERT} for row in alerts if _is_news(row, as_of)]
    if new:
        data = {"as_of": as_of, "alerts": new}
        yield News("alerts.fired", as_of, made_at, data, _alerts_in_words(new, as_of))
    for row in raised:
        if row["status"] == OPEN:
            content = {name: row[name] for name in _OF_AN_ESCALATION}
            text = "\n".join([f"Tell leadership: {row['says']}.", *(f"In common: {one}." for one in row["causes"])])
            yield News("escalation.raised", str(row["number"]), made_at, content, text)


def _is_news(alert: dict[str, Any], as_of: str) -> bool:
    return (alert["fired_on"], alert["delivery"], alert["status"]) == (as_of, NEW, "open")


def _alerts_in_words(alerts: list[dict[str, Any]], as_of: str) -> str:
    lines = [f"{row['name']} ({row['csm'] or 'no CSM'}): {row['says']}." for row in alerts[:_TOLD]]
    more = [f"{len(alerts) - _TOLD:,} more: see the page of alerts."] if len(alerts) > _TOLD else []
    return "\n".join([f"{len(alerts):,} new alerts as of {as_of}, most ARR first.", *lines, *more])


def _words(data: dict[str, Any]) -> str:
    nrr = data["figures"]["nrr"]
    return (
        f"NRR is forecast at {nrr['mean']:.1%}, between {nrr['p10']:.1%} and {nrr['p90']:.1%} with 4 chances in 5, "
        f"over {data['horizon_months']} months from {data['as_of']}.\n"
        f"{data['accounts']:,} accounts; model version {data['model_version']}."
    )


def _of_the_night(params: Params, now: datetime) -> Iterator[News]:
    night = last_night(publication_file.folder_of(params.data_dir))
    if night is None or not night.has_failed(now):
        return
    data = {"as_of": night.as_of, "began_at": night.began_at, "step": night.step}
    text = night.warning(now)
    yield News("run.failed", f"{night.as_of} {night.began_at}", night.began_at, data, text)
