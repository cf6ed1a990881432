"""The compiled loops of simulated futures: keyed numbers, and what the months ahead make of accounts in each future.

An account passes through its months while all that it needs stays in the processor's cache. Each operation is the one
that NumPy does on whole arrays in `keyed_draws`, `prediction.multiply_odds` and `models.paths.closed_form`, in the same
precision and order: tests hold both to the same bytes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, part_of_a_loop
from models.outcomes.future_inputs import Accounts, Outcomes, Shared

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Streams = NDArray[np.uint64]
Word = np.uint64
Words = NDArray[np.uint32]
OUTCOME, AMOUNT, RETURN = 1, 2, 5  # as in `keyed_draws.Purpose`
PURPOSE_BITS = 8
SMALLEST_LEFT = 0.01  # of its ARR an account keeps when it contracts: less would be churn
TINY, SMALLEST = 1e-12, np.float32(1e-30)
_ROUNDS = 10
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_ZERO, _ONE, _UNIT = np.float32(0), np.float32(1), np.float32(2.0**-24)
_DROPPED = np.uint32(8)  # bits of a word beyond those that single precision holds
_TOTAL, _DECIDED = 0, 1


# All words are held in 64 bits, of which the lower 32 are in use, as numba widens what it computes.


@part_of_a_loop
def philox(c0: Word, c1: Word, c2: Word, c3: Word, key: Streams) -> tuple[Word, Word, Word, Word]:
    """The four words of a counter."""
    k0, k1 = key
    for _ in range(_ROUNDS):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1 = (product1 >> _HALF) ^ c1 ^ k0, product1 & _LOW
        c2, c3 = (product0 >> _HALF) ^ c3 ^ k1, product0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


@compiled
def fill_rows(key: Streams, code: Streams, stream: Streams, words: Words) -> None:
    """All words of each row; `words` has shape (rows, counters, 4)."""
    for row in range(words.shape[0]):
        for counter in range(words.shape[1]):
            block = philox(np.uint64(counter), code[row], stream[row] & _LOW, stream[row] >> _HALF, key)
            for lane in range(4):
                words[row, counter, lane] = block[lane]


@compiled
def fill_places(key: Streams, code: Streams, stream: Streams, draw: Ints, words: Words) -> None:
    """The word of one draw of each row."""
    for row in range(words.size):
        counter = np.uint64(draw[row] >> 2)
        block = philox(counter, code[row], stream[row] & _LOW, stream[row] >> _HALF, key)
        words[row] = block[draw[row] & 3]


@part_of_a_loop
def _uniform(word: np.uint32) -> Any:
    """The upper 24 bits of a word as a number from 0 to below 1."""
    return np.float32(np.int32(word >> _DROPPED)) * _UNIT


@part_of_a_loop
def _uniforms(key: Streams, code: Word, stream: np.uint64, counters: Words, luck: Floats32) -> None:
    """The numbers of all draws of one account and month; the counters pass through each round side by side."""
    k0, k1 = key
    c0, c1, c2, c3 = counters[0], counters[1], counters[2], counters[3]
    low, high = np.uint32(stream & _LOW), np.uint32(stream >> _HALF)
    for counter in range(c0.size):
        c0[counter], c1[counter], c2[counter], c3[counter] = counter, code, low, high
    for _ in range(_ROUNDS):
        for counter in range(c0.size):
            product0 = _MULTIPLIERS[0] * np.uint64(c0[counter])
            product1 = _MULTIPLIERS[1] * np.uint64(c2[counter])
            c0[counter] = np.uint32((product1 >> _HALF) ^ np.uint64(c1[counter]) ^ k0)
            c1[counter] = np.uint32(product1 & _LOW)
            c2[counter] = np.uint32((product0 >> _HALF) ^ np.uint64(c3[counter]) ^ k1)
            c3[counter] = np.uint32(product0 & _LOW)
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    for counter in range(c0.size):
        luck[4 * counter] = _uniform(c0[counter])
        luck[4 * counter + 1] = _uniform(c1[counter])
        luck[4 * counter + 2] = _uniform(c2[counter])
        luck[4 * counter + 3] = _uniform(c3[counter])


@part_of_a_loop
def _uniform_at(key: Streams, code: np.uint64, stream: np.uint64, draw: int) -> Any:
    """The number of one draw."""
    block = philox(np.uint64(draw >> 2), code, stream & _LOW, stream >> _HALF, key)
    return _uniform(np.uint32(block[draw & 3]))


@compiled
def simulate(accounts: Accounts, shared: Shared, out: Outcomes) -> None:
    """Let accounts live their months in all futures."""
    months, draws = out.arr.shape[1:]
    counters = np.empty((4, (draws + 3) // 4), dtype=np.uint32)
    hazards, gains = np.empty((2, 3, draws), dtype=np.float32), np.zeros((2, draws), dtype=np.float32)
    factors, luck = np.empty((4, draws), dtype=np.float32), np.empty(4 * counters.shape[1], dtype=np.float32)
    masses, absent = np.empty((3, 2, draws), dtype=np.float32), np.empty((2, months, draws), dtype=np.float32)
    arr, gone_arr, gone = np.empty(draws), np.empty(draws), np.zeros(draws, dtype=np.int64)
    decided = np.empty(draws, dtype=np.bool_)
    for account in range(out.arr.shape[0]):
        arr[:], decided[:], gone[:] = accounts.arr[account], False, 0
        masses[:, _TOTAL], masses[:, _DECIDED] = _ONE, _ZERO
        for month in range(months):
            _expect(accounts, shared, account, month, hazards, gains, factors, masses, absent)
            for one in range(3):
                there = one == 1 and not shared.multipliers.size  # then who is there has never left
                out.means[one, account, month] = out.means[0, account, month] if there else _mean(masses[one, _TOTAL])
            _live(accounts, shared, account, month, hazards, counters, luck, arr, decided, gone, gone_arr)
            for draw in range(draws):
                out.arr[account, month, draw] = arr[draw]


@part_of_a_loop
def _expect(
    accounts: Accounts,
    shared: Shared,
    account: int,
    month: int,
    hazards: Floats32,
    gains: Floats32,
    factors: Floats32,
    masses: Floats32,
    absent: Floats32,
) -> None:
    """Let a month pass in closed form: see `ClosedForm`; `masses` are those there, never left, and their ARR."""
    in_grace, returning = accounts.open[account, month], shared.multipliers.size > 0
    waits = month + 1 < accounts.open.shape[1] and accounts.open[account, month + 1]
    for state in range(1 + in_grace):
        hazard, odds, tilted = accounts.hazards[state, account, month], shared.odds[month], accounts.tilted[account]
        _hazards(hazard, odds, tilted, accounts.levers, month, account, hazards[state])
    pools = accounts.pool_index[account, month]
    for draw in range(gains.shape[1]):
        gains[0, draw], gains[1, draw] = shared.gains[pools[0], draw], shared.gains[pools[1], draw]
    term = in_grace, accounts.ends[account, month], waits
    _pass(term, hazards, gains, factors, masses, absent, month if returning else -1)
    if returning:
        _rejoin(masses, absent, month, shared.chance, shared.mean_multiplier)


@part_of_a_loop
def _hazards(
    hazard: Array, odds: Floats32, tilted: Floats32, levers: Floats32, month: int, account: int, shifted: Floats32
) -> None:
    """The hazards of one account and month in each draw of what is shared, (3, draws): see `multiply_odds`."""
    for outcome in range(3):
        value, row, common, tilt = hazard[outcome], shifted[outcome], odds[outcome], tilted[outcome]
        if value <= 0:
            row[:] = _ZERO
        elif value >= 1:
            row[:] = _ONE
        else:
            bounded = min(max(value, TINY), 1 - TINY)
            ratio = np.float32(bounded / (1 - bounded))
            for draw in range(row.size):
                row[draw] = common[draw] * tilt[draw]
            if levers.shape[0]:
                row *= levers[month, account, outcome]
            for draw in range(row.size):
                odd = ratio * row[draw]
                row[draw] = odd / (_ONE + odd)
    _make_room(shifted, hazard[0] + hazard[1] + hazard[2] >= 1 - TINY)


@part_of_a_loop
def _make_room(shifted: Floats32, all_of_it: bool) -> None:
    """Contraction and expansion share what churn leaves: all of it where something is certain, else at most that."""
    churn, contraction, expansion = shifted[0], shifted[1], shifted[2]
    crowded = 0
    for draw in range(churn.size):
        crowded += contraction[draw] + expansion[draw] > _ONE - churn[draw]
    if not crowded and not all_of_it:
        return
    for draw in range(churn.size):
        others, room = contraction[draw] + expansion[draw], _ONE - churn[draw]
        if all_of_it or others > room:
            scale = room / max(others, SMALLEST)
            contraction[draw] *= scale
            expansion[draw] *= scale


@part_of_a_loop
def _pass(
    term: tuple[bool, bool, bool],
    hazards: Floats32,
    gains: Floats32,
    factors: Floats32,
    masses: Floats32,
    absent: Floats32,
    month: int,
) -> None:
    """Let a month pass for masses, in which ARR grows by `gains`.

    `month` is one in which those who leave are kept, to return, or -1.
    """
    in_grace, ends, waits = term
    for one in range(2, -1, -1):
        if one < 2:
            gains[:] = _ZERO  # accounts stay as they are
        for state in range(1 + in_grace):
            _growth(hazards[state], gains, factors, 2 * state, waits)
        if month >= 0 and one != 1:
            _leave(masses[one], hazards, in_grace, absent[one // 2, month])
        if month >= 0 or one != 1:
            _step(masses[one], factors, in_grace, ends, waits)


@part_of_a_loop
def _growth(hazards: Floats32, gains: Floats32, factors: Floats32, place: int, waits: bool) -> None:
    """What a month makes of accounts or their ARR, and where it matters the part of it whose ARR changed."""
    churn, contraction, expansion, down, up = hazards[0], hazards[1], hazards[2], gains[0], gains[1]
    keep, change = factors[place], factors[place + 1]
    for draw in range(churn.size):
        keep[draw] = _ONE - churn[draw] + contraction[draw] * down[draw] + expansion[draw] * up[draw]
    for draw in range(churn.size if waits else 0):
        change[draw] = contraction[draw] * (_ONE + down[draw]) + expansion[draw] * (_ONE + up[draw])


@part_of_a_loop
def _mean(values: Floats32) -> Any:
    """The mean in double precision."""
    return _sum(values) / values.size


@part_of_a_loop
def _sum(values: Floats32) -> Any:
    """The sum in double precision, pair by pair as NumPy adds."""
    if values.size > 128:
        half = values.size // 2
        half -= half % 8
        return _sum(values[:half]) + _sum(values[half:])
    whole, total = values.size - values.size % 8, 0.0
    if whole:
        r0, r1, r2, r3 = (np.float64(values[0]), np.float64(values[1]), np.float64(values[2]), np.float64(values[3]))
        r4, r5, r6, r7 = (np.float64(values[4]), np.float64(values[5]), np.float64(values[6]), np.float64(values[7]))
        for place in range(8, whole, 8):
            r0, r1, r2, r3 = r0 + values[place], r1 + values[place + 1], r2 + values[place + 2], r3 + values[place + 3]
            r4, r5 = r4 + values[place + 4], r5 + values[place + 5]
            r6, r7 = r6 + values[place + 6], r7 + values[place + 7]
        total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
    for place in range(whole, values.size):
        total += values[place]
    return total


@part_of_a_loop
def _step(mass: Floats32, factors: Floats32, in_grace: bool, ends: bool, waits: bool) -> None:
    """See `models.outcomes.after_change.Mass.step`."""
    total, decided, keep = mass[_TOTAL], mass[_DECIDED], factors[0]
    if not in_grace and not waits:
        for draw in range(total.size):
            total[draw] *= keep[draw]
        return
    change, keep_changed, change_changed = factors[1], factors[2], factors[3]
    for draw in range(total.size):
        before, before_decided, of_those = total[draw], decided[draw], _ZERO
        total[draw] = before * keep[draw]
        if waits:
            of_those = (before - before_decided) * change[draw]
        if in_grace:
            total[draw] += before_decided * (keep_changed[draw] - keep[draw])
            if waits:  # where a term ends, only its own change counts
                of_those += before_decided * (change_changed[draw] if ends else keep_changed[draw])
        decided[draw] = of_those


@part_of_a_loop
def _leave(mass: Floats32, hazards: Floats32, in_grace: bool, absent: Floats32) -> None:
    """Those that leave in a month, by the chances of all and of those whose ARR changed at the last term's end."""
    for draw in range(absent.size):
        absent[draw] = mass[_TOTAL, draw] * hazards[0, 0, draw]
        if in_grace:
            absent[draw] += mass[_DECIDED, draw] * (hazards[1, 0, draw] - hazards[0, 0, draw])


@part_of_a_loop
def _rejoin(masses: Floats32, absent: Floats32, month: int, chances: Array, share: np.float32) -> None:
    """Those that left in the months before come back with a share of their ARR."""
    for left in range(month - 1, -1, -1):
        chance = np.float32(chances[month - left])
        for draw in range(absent.shape[2]):
            masses[0, _TOTAL, draw] += absent[0, left, draw] * chance
            masses[2, _TOTAL, draw] += absent[1, left, draw] * chance * share
            absent[0, left, draw] *= _ONE - chance
            absent[1, left, draw] *= _ONE - chance


@part_of_a_loop
def _of_those_who_decided(hazards: Floats32, decided: Bools) -> None:
    """Put the hazards of those whose ARR changed at the last term's end in place of the others, where it did."""
    for draw in range(decided.size):
        if decided[draw]:
            for outcome in range(3):
                hazards[0, outcome, draw] = hazards[1, outcome, draw]


@part_of_a_loop
def _live(
    accounts: Accounts,
    shared: Shared,
    account: int,
    month: int,
    hazards: Floats32,
    counters: Words,
    luck: Floats32,
    arr: Array,
    decided: Bools,
    gone: Ints,
    gone_arr: Array,
) -> None:
    """Let a month pass in each future."""
    if accounts.open[account, month]:
        _of_those_who_decided(hazards, decided)
    waits = month + 1 < accounts.open.shape[1] and accounts.open[account, month + 1]
    if not waits or accounts.ends[account, month]:
        for draw in range(decided.size):
            decided[draw] = False
    stream, code = accounts.stream[account], np.uint64(shared.first_month + month) << np.uint64(PURPOSE_BITS)
    _uniforms(shared.key, code | np.uint64(OUTCOME), stream, counters, luck)
    amounts = shared.pools, shared.lengths, shared.change, accounts.pool_index[account, month]
    _change(
        shared.key, code | np.uint64(AMOUNT), stream, luck, hazards[0], amounts, waits, arr, decided, gone, gone_arr
    )
    if shared.multipliers.size:
        _come_back(shared.key, code | np.uint64(RETURN), stream, shared.chance, shared.multipliers, arr, gone, gone_arr)


@part_of_a_loop
def _change(
    key: Streams,
    code: Word,
    stream: Word,
    luck: Floats32,
    hazards: Floats32,
    amounts: tuple[Array, Ints, Array, Ints],
    waits: bool,
    arr: Array,
    decided: Bools,
    gone: Ints,
    gone_arr: Array,
) -> None:
    """One number decides which outcome there is in each future, another one, of `code`, the amount."""
    churn, contraction, expansion = hazards[0], hazards[1], hazards[2]
    pools, lengths, change, pool_of = amounts
    for draw in range(arr.size):
        value, low, before = luck[draw], churn[draw], arr[draw]
        middle = low + contraction[draw]
        if value < middle + expansion[draw] and before > 0:
            decided[draw] |= waits
            if value < low:
                arr[draw], gone[draw], gone_arr[draw] = 0.0, -1, before
                continue
            pool = pool_of[1 if value >= middle else 0]
            place = np.float64(_uniform_at(key, code, stream, draw))
            amount = pools[pool, int(place * lengths[pool])] - 1
            arr[draw] = before * max(1 + amount * change[pool, draw], SMALLEST_LEFT)


@part_of_a_loop
def _come_back(
    key: Streams, code: Word, stream: Word, chances: Array, pool: Array, arr: Array, gone: Ints, gone_arr: Array
) -> None:
    """Those without ARR since a month before may come back; of those that left in this one, a month has passed."""
    for draw in range(arr.size):
        if gone[draw] > 0:
            chance, luck = chances[gone[draw]], np.float64(_uniform_at(key, code, stream, draw))
            if luck < chance:
                arr[draw] = gone_arr[draw] * pool[min(int(luck / chance * pool.size), pool.size - 1)]
                gone[draw] = 0
            else:
                gone[draw] += 1
        elif gone[draw] < 0:
            gone[draw] = 1
