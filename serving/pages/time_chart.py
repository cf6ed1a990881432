"""One account's life on one axis of time, as inline SVG: a lane a kind of thing, events told apart by shape."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from markupsafe import Markup, escape

from serving.pages.formats import percent, short

Row = Mapping[str, Any]
WIDTH, NAMES, RIGHT = 1000.0, 150.0, 70.0
LANE, THIN, TOP = 46.0, 24.0, 22.0
DAYS_AHEAD = 92  # how far past today the axis reaches, for the terms that end soon
_SHAPES = {
    "good": "M0,-5 L5,0 L0,5 L-5,0 Z",
    "bad": "M-4,-4 L4,4 M4,-4 L-4,4",
    "plain": "M-4,0 A4,4 0 1,0 4,0 A4,4 0 1,0 -4,0",
}


def timeline(told: Row, *, title: str) -> Markup:
    """The lanes of an account.

    Parameters
    ----------
    told
        `first` and `as_of` (ISO days), and `lanes`, each with a `name` and one of: `bars` (month, amount), `spots`
        (day, share) or `marks` (day, text, good / bad / plain).
    """
    start, today = date.fromisoformat(told["first"]), date.fromisoformat(told["as_of"])
    days = (today - start).days + DAYS_AHEAD
    heights = [THIN if "marks" in lane else LANE for lane in told["lanes"]]
    total = TOP + sum(heights) + 20

    def x(day: str) -> float:
        ahead = min((date.fromisoformat(day) - start).days, days)
        return NAMES + (WIDTH - NAMES - RIGHT) * ahead / days

    parts = [_box(x(told["as_of"]), TOP, x("9999-12-31"), total - 20), *_axis(start, today, x, total - 20)]
    foot = TOP
    for lane, height in zip(told["lanes"], heights, strict=True):
        foot += height
        parts.append(_text(0, foot - height / 2 + 4, lane["name"], "ink"))
        parts.append(_line(NAMES, WIDTH - RIGHT, foot - (height / 2 if "marks" in lane else 4)))
        parts += _lane(lane, x, foot, height)
    parts.append(_rule(x(told["as_of"]), TOP, total - 20, "today"))
    inner = Markup("").join(parts)
    return Markup('<svg class="chart life" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, total, title, inner
    )


def _lane(lane: Row, x: Callable[[str], float], foot: float, height: float) -> list[Markup]:
    if "marks" in lane:
        return [_mark(x(day), foot - height / 2, text, mood) for day, text, mood in lane["marks"]]
    return (
        _bars(lane["bars"], x, foot - 4, height - 14) if "bars" in lane else _spots(lane["spots"], x, foot - 4, height)
    )


def _bars(bars: Sequence[tuple[str, float]], x: Callable[[str], float], foot: float, height: float) -> list[Markup]:
    most = max((amount for _, amount in bars), default=0.0) or 1.0
    parts = [_text(WIDTH - RIGHT + 4, foot - height + 8, f"max {short(most)}")]
    for day, amount in bars:
        tall = height * amount / most
        parts.append(
            Markup(
                '<rect class="s1" x="{:.1f}" y="{:.1f}" width="20" height="{:.1f}"><title>{}: {}</title></rect>'
            ).format(x(day) + 2, foot - tall, tall, day[:7], short(amount))
        )
    return parts


def _spots(spots: Sequence[tuple[str, float]], x: Callable[[str], float], foot: float, height: float) -> list[Markup]:
    if not spots:
        return []
    most = max(0.1, *(share for _, share in spots))
    places = [(x(day), foot - (height - 14) * share / most) for day, share in spots]
    line = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
    last, now = places[-1], spots[-1][1]
    return [
        Markup('<polyline class="line s2" points="{}"/>').format(line),
        Markup('<circle class="dot s2" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(*last),
        _text(last[0] + 8, last[1] + 4, percent(now, 0), "ink"),
    ]


def _mark(left: float, middle: float, text: str, mood: str) -> Markup:
    mark = Markup('<path class="mark {0}" transform="translate({1:.1f},{2:.1f})" d="{3}"><title>{4}</title></path>')
    return mark.format(mood, left, middle, _SHAPES[mood], text)


def _axis(start: date, today: date, x: Callable[[str], float], foot: float) -> list[Markup]:
    """A name every three months, from the first month on."""
    parts = []
    for months in range(0, (today.year - start.year) * 12 + today.month - start.month + 4, 3):
        year, month = divmod(start.month - 1 + months, 12)
        day = date(start.year + year, month + 1, 1)
        left = x(day.isoformat())
        parts.append(_rule(left, TOP, foot, "grid"))
        parts.append(_text(left, TOP - 7, day.strftime("%b %y"), anchor="middle"))
    return parts


def _text(left: float, top: float, words: str, css: str = "", anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        css, left, top, anchor, escape(words)
    )


def _line(start: float, end: float, top: float) -> Markup:
    return Markup('<line class="grid" x1="{0:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{2:.1f}"/>').format(start, end, top)


def _rule(left: float, start: float, end: float, css: str) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
        css, left, left, start, end
    )


def _box(left: float, top: float, right: float, foot: float) -> Markup:
    return Markup('<rect class="ahead" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        left, top, right - left, foot - top
    )
