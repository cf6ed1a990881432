"""Charts as inline SVG: drawn here, coloured by the style sheet's classes, each with words that say what it shows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from markupsafe import Markup, escape

from serving.pages.formats import percent, short

Point = tuple[float, float]
Row = Mapping[str, Any]
_ENDS = ("p10", "p90")
WIDTH, HEIGHT = 420.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 12.0, 26.0
BAR = 160.0


def trailing(realised: Sequence[Row], ahead: Sequence[Row], grr: Row | None, *, title: str) -> Markup:
    """Realised trailing NRR and GRR, joined to the forecast of the months ahead with its intervals.

    Parameters
    ----------
    realised
        Rows with `as_of`, `nrr`, `grr`, oldest first; the last is today's.
    ahead
        Rows of trailing NRR by month: `horizon_months`, `mean`, `p10`, `p25`, `p75`, `p90`.
    grr
        GRR at the last of them: `mean`, `p10`, `p90`.
    """
    wide = _trailing(realised, ahead, grr, title, 820.0, "wide")
    return wide + _trailing(realised, ahead, grr, title, WIDTH, "narrow")


def _trailing(
    realised: Sequence[Row], ahead: Sequence[Row], grr: Row | None, title: str, width: float, css: str
) -> Markup:
    months = ahead[-1]["horizon_months"]
    values = [row[name] for row in realised for name in ("nrr", "grr")] + [row[q] for row in ahead for q in _ENDS]
    ticks = _ticks(min(*values, *([grr["p10"]] if grr else []), 1.0), max(*values, 1.0))
    room = 92 if css == "wide" else 62
    x = _scale(1 - len(realised), months, LEFT, width - RIGHT - room)
    y = _scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP + 12)
    now, last = realised[-1], ahead[-1]
    start = [(x(0), y(now["nrr"]))]
    parts = [_shade(x(0), x(months)), _grid(ticks, y, lambda value: percent(value, 0), width - room)]
    for low, high, band in (("p10", "p90", "outer"), ("p25", "p75", "inner")):
        upper, lower = ([(x(row["horizon_months"]), y(row[q])) for row in ahead] for q in (high, low))
        shape = _path([*start, *upper, *reversed(lower)])
        parts.append(Markup('<polygon class="band s1 {}" points="{}"/>').format(band, shape))
    spots = list(enumerate(realised, start=1 - len(realised)))
    for name, line in (("nrr", "realised"), ("grr", "quiet")):
        path = _path([(x(month), y(row[name])) for month, row in spots])
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(line, path))
    mean = _path([*start, *((x(row["horizon_months"]), y(row["mean"])) for row in ahead)])
    parts.append(Markup('<polyline class="line s1 dashed" points="{}"/>').format(mean))
    parts += _named_ends(x, y, now, last, grr)
    parts += [_vertical(x(0), TOP, HEIGHT - BOTTOM, "today"), _text(x(0) - 4, TOP + 6, "realised", "end")]
    parts.append(_text(x(0) + 4, TOP + 6, "forecast", "start"))
    parts += [_text(x(month), HEIGHT - 8, _year(row["as_of"]), "middle") for month, row in spots if month % 12 == 0]
    return _svg(parts, title, width, css=css)


def _named_ends(
    x: Callable[[float], float], y: Callable[[float], float], now: Row, last: Row, grr: Row | None
) -> list[Markup]:
    """The figures at the end of each line."""
    end = last["horizon_months"]
    parts = [_text(x(0) - 5, y(now["nrr"]) - 7, percent(now["nrr"], 0), "end", "ink")]
    parts.append(_text(x(end) + 6, y(last["mean"]) + 4, f"NRR {percent(last['mean'], 0)}", "start", "s1"))
    if grr:
        path = _path([(x(0), y(now["grr"])), (x(end), y(grr["mean"]))])
        parts.append(Markup('<polyline class="line quiet dashed" points="{}"/>').format(path))
        parts.append(_text(x(end) + 6, y(grr["mean"]) + 4, f"GRR {percent(grr['mean'], 0)}", "start"))
    return parts


def waterfall(steps: Sequence[Row], *, title: str) -> Markup:
    """Bars from what there is to what is expected, each step from where the one before ends, with its interval.

    `steps` hold `name`, `start`, `end`, `css`, `amount` and, where there is one, `low` and `high`: the ends of the
    interval on the scale. The scale is cut.
    """
    levels = [step[key] for step in steps for key in ("end", "low", "high") if step.get(key) is not None]
    low, high = _cut_below(min(levels)), max(levels)
    y = _scale(low, high, HEIGHT - BOTTOM, TOP + 14)
    slot = (WIDTH - LEFT - RIGHT) / len(steps)
    parts = [_text(LEFT - 5, y(low) + 4, short(low), "end"), _text(LEFT - 5, y(high) + 4, short(high), "end")]
    parts.append(Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(LEFT, WIDTH, y(low)))
    for number, step in enumerate(steps):
        left, top, foot = LEFT + slot * (number + 0.14), *sorted((y(step["end"]), y(max(low, step["start"]))))
        parts.append(_rect(left, top, slot * 0.72, max(1.5, foot - top), step["css"]))
        middle = left + slot * 0.36
        if step.get("low") is not None:
            parts.append(_vertical(middle, y(max(low, step["low"])), y(step["high"]), "whisker dark"))
        parts.append(_text(middle, min(top, y(step.get("high") or step["end"])) - 5, step["amount"], "middle", "ink"))
        parts.append(_text(middle, HEIGHT - 8, step["name"], "middle"))
    return _svg(parts, title)


def history(rows: Sequence[Mapping[str, Any]], *, title: str) -> Markup:
    """Past churn probabilities: a line of today's model on what was known then, and dots of what was said then."""
    rescored = [row for row in rows if row["kind"] == "rescored"]
    published = [row for row in rows if row["kind"] == "published"]
    days = sorted({row["as_of"] for row in rows})
    place = {day: number for number, day in enumerate(days)}
    ticks = _ticks(0.0, max(0.1, *(row["churn_probability"] for row in rows)))
    x, y = _scale(0, max(1, len(days) - 1), LEFT, WIDTH - RIGHT - 8), _scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [_grid(ticks, y, lambda value: percent(value, 0))]
    line = [(x(place[row["as_of"]]), y(row["churn_probability"])) for row in rescored]
    parts.append(Markup('<polyline class="line s1" points="{}"/>').format(_path(line)))
    for row in published:
        spot = (x(place[row["as_of"]]), y(row["churn_probability"]))
        parts.append(Markup('<circle class="dot s2" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(*spot))
    parts += _ends(days, x)
    return _svg(parts, title)


def months(amounts: Sequence[float], names: Sequence[str], *, title: str, css: str = "s1") -> Markup:
    """Amounts by month as bars."""
    height, top = 92.0, max(amounts, default=0.0) or 1.0
    x, y = _scale(0, len(amounts), LEFT, WIDTH - RIGHT), _scale(0, top, height - 20, 8)
    wide = max(1.0, (x(1) - x(0)) * 0.78)
    parts = [_text(LEFT - 5, 14, short(top), "end"), _text(LEFT - 5, height - 17, "0", "end")]
    parts.append(
        Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(LEFT, WIDTH - RIGHT, height - 20)
    )
    for number, amount in enumerate(amounts):
        if amount > 0:
            parts.append(_rect(x(number), y(amount), wide, height - 20 - y(amount), css))
    if names:
        parts.append(_text(LEFT, height - 4, names[0][:7], "start"))
        parts.append(_text(WIDTH - RIGHT, height - 4, names[-1][:7], "end"))
    return _svg(parts, title, WIDTH, height)


def calibration(bins: Sequence[Mapping[str, Any]], *, title: str) -> Markup:
    """Predicted against observed shares with their intervals; on the diagonal they agree."""
    side = 230.0
    top = max(0.05, max(max(row["predicted"], row["high"]) for row in bins))
    ticks = _ticks(0.0, min(1.0, top))
    x, y = _scale(0, ticks[-1], LEFT, side - 10), _scale(0, ticks[-1], side - 30, 10)
    parts = [_grid(ticks, y, lambda value: percent(value, 0), side)]
    parts += [_text(x(t), side - 14, percent(t, 0), "middle") for t in ticks[:: max(1, len(ticks) // 3)]]
    parts.append(Markup('<line class="diagonal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        x(0), y(0), x(ticks[-1]), y(ticks[-1])))  # fmt: skip
    for row in bins:
        at, low, high = x(row["predicted"]), y(max(0, row["low"])), y(min(ticks[-1], row["high"]))
        parts.append(_vertical(at, low, high, "whisker"))
        parts.append(Markup('<circle class="dot s1" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(at, y(row["observed"])))
    parts.append(_text((LEFT + side) / 2, side - 1, "predicted", "middle"))
    return _svg(parts, title, side, side)


def origins(rows: Sequence[Mapping[str, Any]], *, title: str) -> Markup:
    """Forecasts at past dates with 50, 80 and 90 % intervals, against the actual figures."""
    low = min(min(row["p05"], row["actual"]) for row in rows)
    high = max(max(row["p95"], row["actual"]) for row in rows)
    ticks = _ticks(low, high)
    x, y = _scale(-0.5, len(rows) - 0.5, LEFT, WIDTH - RIGHT), _scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [_grid(ticks, y, lambda value: percent(value, 0))]
    for number, row in enumerate(rows):
        for lower, upper, css in (("p05", "p95", "i90"), ("p10", "p90", "i80"), ("p25", "p75", "i50")):
            parts.append(_vertical(x(number), y(row[lower]), y(row[upper]), f"interval {css}"))
        parts.append(
            Markup('<circle class="dot came" cx="{:.1f}" cy="{:.1f}" r="4.5"/>').format(x(number), y(row["actual"]))
        )
        if len(rows) <= 8 or number % 2 == 0:
            parts.append(_text(x(number), HEIGHT - 8, str(row["origin"])[:7], "middle"))
    return _svg(parts, title)


def step(start: float, end: float, low: float, high: float, css: str) -> Markup:
    """A bar from one value to another on a scale that several rows share, as in a bridge."""
    x = _scale(low, high if high > low else low + 1.0, 0, BAR)
    left, right = sorted((max(0.0, x(start)), max(0.0, x(end))))
    return _bar([_rect(left, 3, max(1.5, right - left), 12, css)])


def share_bar(value: float, top: float, css: str = "s1") -> Markup:
    """A bar as long as a share of the largest."""
    return _bar([_rect(0, 3, max(0.0, min(1.0, value / (top or 1.0))) * BAR, 12, css)])


def diverging(value: float, top: float, *, raising_is_good: bool, proven: bool = True) -> Markup:
    """A bar to the right for more, to the left for less; grey where it may as well be luck."""
    half = BAR / 2
    size = min(1.0, abs(value) / (top or 1.0)) * half
    parts = [
        _rect(
            half if value > 0 else half - size,
            3,
            max(1.0, size),
            12,
            "quiet" if not proven else "better" if (value > 0) == raising_is_good else "worse",
        )
    ]
    parts.append(_vertical(half, 0, 18, "grid"))
    return _bar(parts)


def interval(low: float, mean: float, high: float, least: float, most: float) -> Markup:
    """An interval with its mean, on a scale that several rows share, with a mark at 100 %."""
    x = _scale(least, most if most > least else least + 1e-9, 3, BAR - 3)
    parts = [_vertical(x(1.0), 0, 18, "grid")] if least <= 1.0 <= most else []
    parts.append(Markup('<line class="interval i80" x1="{:.1f}" x2="{:.1f}" y1="9" y2="9"/>').format(x(low), x(high)))
    parts.append(Markup('<circle class="dot s1" cx="{:.1f}" cy="9" r="4"/>').format(x(mean)))
    return _bar(parts)


def _bar(parts: Sequence[Markup]) -> Markup:
    """A small chart inside a table row: the row's own cells say the figures."""
    inner = Markup("").join(parts)
    return Markup('<svg class="bar" viewBox="0 0 {:.0f} 18" aria-hidden="true" focusable="false">{}</svg>').format(
        BAR, inner
    )


def _svg(parts: Sequence[Markup], title: str, width: float = WIDTH, height: float = HEIGHT, css: str = "") -> Markup:
    inner = Markup("").join(parts)
    return Markup('<svg class="chart {}" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        css, width, height, title, inner
    )


def _shade(start: float, end: float) -> Markup:
    """The days ahead."""
    return Markup('<rect class="ahead" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        start, TOP, end - start, HEIGHT - BOTTOM - TOP
    )


def _cut_below(amount: float) -> float:
    """Where a scale begins that shows steps between large amounts: a round number well below the smallest."""
    if amount <= 0:
        return 0.0
    size = 10.0 ** (len(f"{amount:.0f}") - 1)
    return float((0.9 * amount) // (size / 2) * (size / 2))


def _year(day: str) -> str:
    """A month start as `Jan 26`."""
    return date.fromisoformat(day).strftime("%b %y")


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _ticks(low: float, high: float) -> list[float]:
    """Round values that reach from below `low` to above `high`, about five of them."""
    span = max(high - low, 1e-3)
    size = next(s for s in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 1e9) if span / s <= 5)
    first, last = int(low // size), int(-(-high // size))
    return [round(number * size, 6) for number in range(first, max(last, first + 1) + 1)]


def _grid(
    ticks: Sequence[float], y: Callable[[float], float], show: Callable[[float], str], width: float = WIDTH
) -> Markup:
    parts = []
    for tick in ticks:
        line = Markup('<line class="grid" x1="{0:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{2:.1f}"/>')
        parts += [line.format(LEFT, width - RIGHT, y(tick)), _text(LEFT - 5, y(tick) + 4, show(tick), "end")]
    return Markup("").join(parts)


def _ends(days: Sequence[str], x: Callable[[float], float]) -> list[Markup]:
    """The first and the last day of an axis."""
    first = _text(x(0), HEIGHT - 8, days[0], "start")
    return [first] if len(days) == 1 else [first, _text(x(len(days) - 1), HEIGHT - 8, days[-1], "end")]


def _text(x: float, y: float, words: str, anchor: str, css: str = "") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        css, x, y, anchor, escape(words)
    )


def _rect(x: float, y: float, width: float, height: float, css: str) -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1"/>').format(
        css, x, y, width, height
    )


def _vertical(x: float, start: float, end: float, css: str) -> Markup:
    return Markup('<line class="{0}" x1="{1:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{3:.1f}"/>').format(css, x, start, end)


def _path(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
