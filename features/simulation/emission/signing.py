"""What is written down of an account when it signs: what for, why, by when, and how far it could grow."""

from typing import Any

import numpy as np

from features.simulation.emission.display import Display, Names, dates, named
from features.simulation.months import FAR
from features.simulation.world import FITS

USE_CASES = ("reporting", "planning", "compliance", "customer service")
_PAINS = ("reports take days", "figures do not agree", "audits find gaps", "tickets pile up")
_IMPACTS = ("reporting time halved", "one set of figures", "audit passed", "answers within a day")
_CRITERIA = ("ease of use", "price", "integration", "security")
_EVENTS = ("new fiscal year", "audit", "merger", "peak season", "board meeting")
SOURCES = ("inbound", "outbound", "partner", "referral", "event")
BRINGS_BAD_FIT = "partner"
_SOURCE_SHARES = (0.4, 0.25, 0.1, 0.15, 0.1)
_WRITTEN_DOWN = (0.85, 0.7, 0.6, 0.65)  # how often each is written down at handoff


BAD_FIT = FITS.index("bad")


def plans_at_signing(display: Display) -> dict[str, Any]:
    """Columns of `accounts`, a cell an account; nothing of them says how an account will fare."""
    rng, profile, count = (
        display.generator("accounts", "signing"),
        display.history.company.profile,
        display.history.accounts,
    )
    use_case = rng.integers(len(USE_CASES), size=count)
    texts = {"pain": _PAINS, "impact": _IMPACTS, "decision_criteria": _CRITERIA, "critical_event": _EVENTS}
    columns: dict[str, Any] = {"use_case": named(USE_CASES, use_case)}
    for (name, words), share in zip(texts.items(), _WRITTEN_DOWN, strict=True):
        cells = named(words, (use_case + rng.integers(2, size=count)) % len(words))
        columns[name] = _left_out(cells, rng.random(count) >= share)
    event_day = profile.joins + rng.integers(90, 420, count)
    columns["critical_event_on"] = dates(np.where(columns["critical_event"] == None, FAR, event_day))  # noqa: E711
    columns["potential_seats"] = _potential(display, rng)
    columns["source"] = named(SOURCES, _sources(display))
    return columns


def _sources(display: Display) -> np.ndarray:
    """Where each account came from: partners bring more of the accounts that fit badly; else sources are alike."""
    rng, profile = display.generator("accounts", "source"), display.history.company.profile
    drawn = rng.choice(len(SOURCES), size=display.history.accounts, p=_SOURCE_SHARES)
    from_partner = (profile.fit == BAD_FIT) & (rng.random(len(drawn)) < 0.4)
    return np.where(from_partner, SOURCES.index(BRINGS_BAD_FIT), drawn)


def _left_out(cells: Names, where: np.ndarray) -> Names:
    cells[where] = None
    return cells


def _potential(display: Display, rng: np.random.Generator) -> np.ndarray:
    """Seats that an account could use: those of its first lines and up to twice as many more."""
    lines = display.history.lines
    at_start = lines[lines["starts"] == lines.groupby("account")["starts"].transform("min")]
    seats = at_start.groupby("account")["seats"].sum().reindex(range(display.history.accounts)).fillna(1).to_numpy()
    potential: np.ndarray = np.ceil(seats * (1 + 2 * rng.random(len(seats)))).astype(np.int64)
    return potential
