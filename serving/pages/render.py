"""Templates, and what all pages share."""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from serving.access.visit import Visit
from serving.pages import charts, formats, time_chart
from serving.pages.business import small_charts
from serving.pages.navigation import navigation

HERE = Path(__file__).parent
STYLE = HERE / "static" / "style.css"
ICON = HERE / "static" / "icon.svg"
SCRIPT = HERE / "static" / "search.js"


def page(
    name: str, visit: Visit, *, status: int = 200, headers: Mapping[str, str] | None = None, **content: Any
) -> HTMLResponse:
    """A page from its template, for whoever asks; text from the data is escaped."""
    about: dict[str, Any] = {
        "caller": visit.caller,
        "signed_in": bool(visit.session),
        "base": visit.base,
        "style": version_of(STYLE),
    }
    about["nav_groups"], about["nearby"] = navigation(visit.caller, content.get("here", ""))
    return HTMLResponse(environment().get_template(name).render(**about, **content), status, headers)


def standalone(name: str, **content: Any) -> str:
    """A page as a file of its own, with the style sheet in it."""
    return environment().get_template(name).render(inline_style=STYLE.read_text(encoding="utf-8"), **content)


@functools.cache
def environment() -> Environment:
    """The templates with their filters, read once."""
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for filter_ in (
        formats.account_address,
        formats.percent,
        formats.points,
        formats.whole_points,
        formats.money,
        formats.short,
        formats.month,
        formats.until,
        formats.label,
        formats.figure,
        formats.interval,
        formats.day,
        formats.reason,
        formats.level,
        formats.what_happened,
    ):
        templates.filters[filter_.__name__] = filter_
    templates.globals.update(charts=charts, small_charts=small_charts, time_chart=time_chart)
    for name in templates.list_templates():  # compiled now rather than for the first reader
        templates.get_template(name)
    return templates


@functools.cache
def version_of(file: Path) -> str:
    """Changes when a static file does, so that browsers may keep it."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
