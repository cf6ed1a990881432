"""What there is to tell: read off what is published and how the last night ended, so that it can be read again."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from params import Params
from serving.forecast.refusals import NoPublication
from serving.outlets.messages import News
from serving.publication import publication_file
from serving.publication.last_night import last_night
from serving.publication.reader import Published, open_newest


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
