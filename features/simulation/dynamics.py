"""The hidden life of the simulated company, a month a step, vectorised over accounts (or accounts x futures).

Each account has a health that wanders around a level of its own, people who come and go, a customer's own growth,
and a contract whose terms are decided ahead of, at, or after their end. What a month brings is drawn from streams
named by purpose, so that what the tables show (`emission`) never disturbs what happens, and so that leaving one
cause out leaves the draws of all others as they were. `truth` runs the same `step` over many futures.
"""

import numpy as np

from features.simulation.line_book import LineBook
from features.simulation.months import Draws
from features.simulation.people import care_for
from features.simulation.state import Company, Deeds, Month
from features.simulation.terms import (
    change_lines,
    close_accounts,
    come_back,
    decide_terms,
    join,
    roll_terms,
    stop_early,
)


def step(company: Company, month: Month, draws: Draws, line_book: LineBook) -> Deeds:
    """Live through a month: people, health and care first, then what becomes of the contracts."""
    _move_shock(company, draws)
    join(company, month, draws, line_book)
    come_back(company, month, draws, line_book)
    deeds = care_for(company, month, draws)
    decide_terms(company, month, draws, line_book)
    stop_early(company, month, draws, line_book)
    change_lines(company, month, draws, line_book)
    close_accounts(company.state, month)
    roll_terms(company, month, draws)
    return deeds


def _move_shock(company: Company, draws: Draws) -> None:
    rules, value = company.rules, company.shock.value
    first = draws.normal("shock on churn", value.shape[1])
    second = draws.normal("shock on expansion", value.shape[1])
    mixed = rules.shock_correlation * first + np.sqrt(1 - rules.shock_correlation**2) * second
    noise = np.array(rules.shock_noise)[:, None] * np.stack([first, mixed])
    company.shock.value = rules.shock_memory * value + noise
