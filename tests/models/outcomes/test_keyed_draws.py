"""Numbers by key: the generator's published answers, even and unrelated numbers; nothing but the key counts."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from models.outcomes.keyed_draws import Purpose, normals, streams, uniforms, uniforms_at

SEED, MONTH = 7, 12 * 2026 + 1
ACCOUNTS = streams(f"a{number}" for number in range(40))


@pytest.mark.parametrize(
    ("draw", "code", "stream", "seed", "words"),
    [
        (0, 0, 0, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (0xFFFFFFFF, 0xFFFFFFFF, 2**64 - 1, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            *(0x243F6A88, 0x85A308D3, 0x0370734413198A2E, 0x299F31D0A4093822),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
    ids=["zeros", "ones", "digits of pi"],
)
def test_the_words_are_those_that_the_generator_s_authors_published(
    draw: int, code: int, stream: int, seed: int, words: tuple[int, ...]
) -> None:
    """Known answers of philox4x32-10 from Random123: counter words draw // 4, month and purpose, stream; the seed."""
    month, purpose = code >> 8, code & 0xFF
    four = np.arange(4) + 4 * draw
    numbers = uniforms_at(seed, np.full(4, stream, np.uint64), month, purpose, draw=four)  # type: ignore[arg-type]
    np.testing.assert_array_equal(numbers * 2**24, [word >> 8 for word in words])


def test_one_place_is_that_of_the_row() -> None:
    rows = uniforms(SEED, ACCOUNTS, MONTH, Purpose.AMOUNT, draws=11)
    for draw in (0, 3, 4, 10):
        here = uniforms_at(SEED, ACCOUNTS, MONTH, Purpose.AMOUNT, draw=np.full(len(ACCOUNTS), draw))
        np.testing.assert_array_equal(here, rows[:, draw])


def test_a_row_does_not_depend_on_other_rows_or_on_how_many_draws_there_are() -> None:
    rows = uniforms(SEED, ACCOUNTS, MONTH, Purpose.OUTCOME, draws=100)
    some = uniforms(SEED, ACCOUNTS[[30, 2]], MONTH, Purpose.OUTCOME, draws=50)
    np.testing.assert_array_equal(some, rows[[30, 2], :50])


def test_rows_of_several_months_are_those_of_each_month() -> None:
    months = np.array([MONTH, MONTH + 5])
    rows = normals(SEED, ACCOUNTS[:2], months, Purpose.SHARED_LUCK, draws=10)
    for row, month in enumerate(months.tolist()):
        alone = normals(SEED, ACCOUNTS[row : row + 1], month, Purpose.SHARED_LUCK, draws=10)
        np.testing.assert_array_equal(rows[row], alone[0])


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**63 + 5])
def test_every_part_of_the_key_counts(seed: int) -> None:
    changed = {
        "nothing": uniforms(seed, ACCOUNTS, MONTH, Purpose.OUTCOME, draws=64),
        "seed": uniforms(seed + 1, ACCOUNTS, MONTH, Purpose.OUTCOME, draws=64),
        "month": uniforms(seed, ACCOUNTS, MONTH + 1, Purpose.OUTCOME, draws=64),
        "purpose": uniforms(seed, ACCOUNTS, MONTH, Purpose.AMOUNT, draws=64),
        "account": uniforms(seed, ACCOUNTS + np.uint64(1), MONTH, Purpose.OUTCOME, draws=64),
    }
    assert len({numbers.tobytes() for numbers in changed.values()}) == len(changed)


def test_numbers_are_even_from_0_to_below_1() -> None:
    numbers = uniforms(SEED, ACCOUNTS, MONTH, Purpose.OUTCOME, draws=25_000).ravel()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.bincount((numbers * 1000).astype(int), minlength=1000)
    assert stats.chisquare(counts).pvalue > 1e-4
    assert stats.kstest(numbers[:100_000], "uniform").pvalue > 1e-4


def test_normals_are_standard_normal() -> None:
    numbers = normals(SEED, ACCOUNTS, MONTH, Purpose.PARAMETER, draws=2500).ravel()
    assert stats.kstest(numbers, "norm").pvalue > 1e-4
    assert np.isfinite(numbers).all()


def near(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of keys that lie side by side, 200,000 pairs: consecutive streams, months, draws, purposes or seeds."""
    stream = np.arange(200, dtype=np.uint64)
    here = uniforms(SEED, stream, MONTH, Purpose.OUTCOME, draws=1001)
    if part == "stream":
        return here[:-1], here[1:]
    if part == "draw":
        return here[:, :-1], here[:, 1:]
    if part == "block":
        return here[:, :-4], here[:, 4:]
    there = {
        "month": (SEED, stream, MONTH + 1, Purpose.OUTCOME),
        "purpose": (SEED, stream, MONTH, Purpose.AMOUNT),
        "seed": (SEED + 1, stream, MONTH, Purpose.OUTCOME),
    }[part]
    return here, uniforms(*there, draws=1001)


@pytest.mark.parametrize("part", ["stream", "draw", "block", "month", "purpose", "seed"])
def test_keys_side_by_side_have_unrelated_numbers(part: str) -> None:
    """Neither the numbers nor how far they lie from the middle go together, and all pairs of tenths are as frequent."""
    one, other = (numbers.ravel().astype(float) for numbers in near(part))
    bound = 4 / np.sqrt(one.size)
    assert abs(np.corrcoef(one, other)[0, 1]) < bound
    assert abs(np.corrcoef(abs(one - 0.5), abs(other - 0.5))[0, 1]) < bound
    pairs = np.bincount((one * 10).astype(int) * 10 + (other * 10).astype(int), minlength=100)
    assert stats.chisquare(pairs).pvalue > 1e-4


def test_sums_over_accounts_spread_as_those_of_independent_numbers_do() -> None:
    """A portfolio's interval is that of a sum over accounts: any hidden connection would show in its width."""
    sums = uniforms(SEED, np.arange(1000, dtype=np.uint64), MONTH, Purpose.OUTCOME, draws=4000).sum(axis=0)
    assert sums.std() == pytest.approx(np.sqrt(1000 / 12), rel=4 / np.sqrt(2 * 4000))
    assert abs(np.corrcoef(sums[:-1], sums[1:])[0, 1]) < 4 / np.sqrt(4000)


def test_a_name_has_the_same_stream_in_every_process() -> None:
    assert streams(["a1", "ä/ö 7"]).tolist() == [2012317400386921887, 15743931762157093710]
    script = "from models.outcomes.keyed_draws import streams; print(streams(['a1']).tolist())"
    answers = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert answers == {"[2012317400386921887]\n"}


def test_names_do_not_share_streams() -> None:
    assert len(np.unique(streams(range(100_000)))) == 100_000
