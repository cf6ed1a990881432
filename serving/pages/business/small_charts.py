"""Charts of the pages about the business: a line in a table's row, a curve by age, a book against what was expected."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from serving.pages.formats import percent

WIDE, TALL = 160.0, 18.0
CURVE_WIDTH, CURVE_HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420.0, 190.0, 46.0, 12.0, 12.0, 34.0


def spark(values: Sequence[float | None]) -> Markup:
    """A line in a table's row, oldest first, with a dot at its end; the row's table says the figures."""
    there = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(there) < 2:
        return Markup("")
    low, high = min(value for _, value in there), max(value for _, value in there)
    step, span = (WIDE - 10) / (len(values) - 1), (high - low) or 1.0
    spots = [(5 + place * step, TALL - 3 - (value - low) / span * (TALL - 6)) for place, value in there]
    line = Markup('<polyline class="line s1" points="{}"/>').format(_path(spots))
    return _bar(line + Markup('<circle class="dot s1" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(*spots[-1]))


def against(low: float, expected: float, high: float, actual: float, least: float, most: float) -> Markup:
    """What was expected with its range, and the actual figure as a ring, on a scale that several rows share."""
    span = (most - least) or 1.0

    def x(value: float) -> float:
        return 6 + (value - least) / span * (WIDE - 12)

    parts = [
        Markup('<line class="interval i80" x1="{:.1f}" x2="{:.1f}" y1="9" y2="9"/>').format(x(low), x(high)),
        Markup('<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="1" y2="17"/>').format(x(expected)),
        Markup('<circle class="dot came" cx="{:.1f}" cy="9" r="4.5"/>').format(x(actual)),
    ]
    return _bar(Markup("").join(parts))


def curve(shares: Sequence[float], *, title: str) -> Markup:
    """Shares by age in quarters, from age 0 on, with a line at 100 %."""
    low, high = min(*shares, 1.0), max(*shares, 1.0)
    low, high = low - 0.05 * (high - low or 1), high + 0.05 * (high - low or 1)
    step = (CURVE_WIDTH - LEFT - RIGHT) / max(1, len(shares) - 1)

    def y(share: float) -> float:
        return CURVE_HEIGHT - BOTTOM - (share - low) / (high - low) * (CURVE_HEIGHT - BOTTOM - TOP)

    spots = [(LEFT + age * step, y(share)) for age, share in enumerate(shares)]
    parts = [Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(
        LEFT, CURVE_WIDTH - RIGHT, y(1.0))]  # fmt: skip
    parts.append(_text(LEFT - 5, y(1.0) + 4, "100 %", "end"))
    parts.append(Markup('<polyline class="line s1" points="{}"/>').format(_path(spots)))
    for age in range(0, len(shares), max(1, len(shares) // 6)):
        parts.append(Markup('<circle class="dot s1" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(*spots[age]))
        parts.append(_text(spots[age][0], spots[age][1] - 8, percent(shares[age], 0) if age else "", "middle"))
        parts.append(_text(spots[age][0], CURVE_HEIGHT - BOTTOM + 15, f"{age}", "middle"))
    parts.append(_text((LEFT + CURVE_WIDTH) / 2, CURVE_HEIGHT - 4, "quarters since the start", "middle"))
    return Markup('<svg class="chart" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        CURVE_WIDTH, CURVE_HEIGHT, title, Markup("").join(parts)
    )


def shade(share: float, low: float, high: float) -> str:
    """One of five depths of a cell's colour, by where a share lies between two ends."""
    place = (share - low) / ((high - low) or 1.0)
    return f"h{1 + min(4, max(0, int(place * 5)))}"


def _path(spots: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, escape(text))


def _bar(inner: Markup) -> Markup:
    return Markup('<svg class="bar" viewBox="0 0 {:.0f} 18" aria-hidden="true" focusable="false">{}</svg>').format(
        WIDE, inner
    )
