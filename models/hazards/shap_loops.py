"""The compiled loops of exact Shapley values of trees: see `models.hazards.tree_shap`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled_with

Array = NDArray[np.float64]
Integers = NDArray[np.int32]
_HOT, _COLD, _FROZEN = 0, 1, 2
_NO_MISSING, _ZERO_MISSING, _NAN_MISSING = 0, 1, 2
MISSING = {"None": _NO_MISSING, "Zero": _ZERO_MISSING, "NaN": _NAN_MISSING}
_ZERO = float(np.float32(1e-35))  # what LightGBM takes for zero
SPLIT = np.dtype(
    [
        ("parent", np.int32),
        ("upper", np.int32),
        ("right", np.int32),
        ("feature", np.int32),
        ("missing", np.int32),
        ("default_left", np.int32),
        ("category_start", np.int32),
        ("category_count", np.int32),
        ("threshold", np.float64),
        ("value", np.float64),
        ("ratio", np.float64),
    ]
)


# Full fast-math would let the compiler drop the tests for NaN.
_compiled = compiled_with(fastmath={"reassoc", "contract", "arcp", "nsz"})


@_compiled
def explain(
    rows: Array,
    values: Array,
    first: Integers,
    splits: NDArray[np.void],
    goes_left: NDArray[np.bool_],
    step: Array,
    slope: Array,
) -> None:
    """Add the Shapley values of each row to `values`; a tree stays in cache while all rows pass.

    A row that a tree sends where it sent the row before has the same effects there: the months ahead of one account
    differ in the renewal calendar alone, and most trees tell few of them apart.
    """
    largest = np.max(first[1:] - first[:-1])
    state = np.zeros(largest, dtype=np.int32)
    product = np.empty((largest, step.shape[2]))
    effects = np.zeros(largest)
    for tree in range(first.size - 1):
        begin, end = first[tree], first[tree + 1]
        for row in range(rows.shape[0]):
            if _mark(rows, row, splits, goes_left, begin, end, state) or row == 0:
                _descend(splits, step, begin, end, state, product)
                _ascend(splits, slope, begin, end, state, product, effects)
            for here in range(end - begin - 1, 0, -1):
                if effects[here] != 0.0:
                    values[row, splits[splits[begin + here]["parent"]]["feature"]] += effects[here]


@_compiled
def tabulate(first: Integers, splits: NDArray[np.void], step: Array, slope: Array, table: Array) -> None:
    """Fill in the effects of every tree, pattern and split."""
    largest = np.max(first[1:] - first[:-1])
    state, place = np.zeros(largest, dtype=np.int32), np.zeros(largest, dtype=np.int32)
    product, effects = np.empty((largest, step.shape[2])), np.zeros(largest)
    for tree in range(first.size - 1):
        begin, end = first[tree], first[tree + 1]
        for pattern in range(table.shape[1]):
            split = 0
            for here in range(end - begin):
                if splits[begin + here]["feature"] >= 0:
                    _send(splits, begin, here, (pattern >> split) & 1 == 1, state)
                    place[here] = split
                    split += 1
            _descend(splits, step, begin, end, state, product)
            _ascend(splits, slope, begin, end, state, product, effects)
            for here in range(end - begin - 1, 0, -1):
                table[tree, pattern, place[splits[begin + here]["parent"] - begin]] += effects[here]


@_compiled
def look_up(
    rows: Array,
    values: Array,
    first: Integers,
    splits: NDArray[np.void],
    goes_left: NDArray[np.bool_],
    table: Array,
) -> None:
    """Add to `values` what each tree's table says of the way its splits send each row; both a row a feature here."""
    pattern = np.empty(rows.shape[1], dtype=np.int32)
    for tree in range(first.size - 1):
        begin, end = first[tree], first[tree + 1]
        pattern[:] = 0
        for here in range(begin, end):
            split, x = splits[here], rows[splits[here]["feature"]]
            for row in range(x.size):
                pattern[row] |= np.int32(_passes_left(x[row], split, goes_left)) << (here - begin)
        for here in range(begin, end):
            value = values[splits[here]["feature"]]
            for row in range(value.size):
                value[row] += table[tree, pattern[row], here - begin]


# In the loops below `here` counts from the tree's root. They index whole arrays, as a view costs more than the work
# done on it, and read records, as numba counts references to each array that a tuple holds.


@_compiled
def _mark(
    rows: Array,
    row: int,
    splits: NDArray[np.void],
    goes_left: NDArray[np.bool_],
    begin: int,
    end: int,
    state: Integers,
) -> bool:
    """State of each node: hot (the row passes all splits on its feature), turned cold there, or cold before.

    Returns whether any is another than `state` held before.
    """
    changed = False
    for here in range(end - begin):
        split = splits[begin + here]
        if split["feature"] >= 0:
            left = _passes_left(rows[row, split["feature"]], split, goes_left)
            changed |= _send(splits, begin, here, left, state)
    return changed


@_compiled
def _send(splits: NDArray[np.void], begin: int, here: int, left: bool, state: Integers) -> bool:
    """State of both children of a split that sends the row left or right; whether any is another than before."""
    right = splits[begin + here]["right"] - begin
    upper = splits[begin + right]["upper"]
    was_hot = upper < 0 or state[upper - begin] == _HOT
    on_left = (_HOT if left else _COLD) if was_hot else _FROZEN
    on_right = (_COLD if left else _HOT) if was_hot else _FROZEN
    changed = state[here + 1] != on_left or state[right] != on_right
    state[here + 1], state[right] = on_left, on_right
    return bool(changed)


@_compiled
def _passes_left(x: float, split: Any, goes_left: NDArray[np.bool_]) -> bool:
    """LightGBM's decision, for missing values, zeros that count as missing, and unknown categories too."""
    if split["category_count"] > 0:
        in_range = x > -1.0 and x < split["category_count"]  # false for NaN
        return bool(in_range and goes_left[split["category_start"] + int(x)])
    if np.isnan(x) and split["missing"] == _NAN_MISSING:
        return bool(split["default_left"] != 0)
    if np.isnan(x):
        x = 0.0
    if split["missing"] == _ZERO_MISSING and abs(x) <= _ZERO:
        return bool(split["default_left"] != 0)
    return bool(x <= split["threshold"])


@_compiled
def _descend(splits: NDArray[np.void], step: Array, begin: int, end: int, state: Integers, product: Array) -> None:
    """Product of the path's factors at each node, for every quadrature node q."""
    quadrature_nodes = product.shape[1]
    for q in range(quadrature_nodes):
        product[0, q] = 1.0
    for here in range(1, end - begin):
        above, kind = splits[begin + here]["parent"] - begin, state[here]
        if kind == _FROZEN:
            ratio = splits[begin + here]["ratio"]
            for q in range(quadrature_nodes):
                product[here, q] = product[above, q] * ratio
        else:
            for q in range(quadrature_nodes):
                product[here, q] = product[above, q] * step[begin + here, kind, q]


@_compiled
def _ascend(
    splits: NDArray[np.void],
    slope: Array,
    begin: int,
    end: int,
    state: Integers,
    product: Array,
    effects: Array,
) -> None:
    """Sum leaf value times product upwards, in place; times its slope is what a node adds to the feature above it."""
    quadrature_nodes = product.shape[1]
    for here in range(end - begin - 1, 0, -1):
        split, kind = splits[begin + here], state[here]
        if split["feature"] < 0:
            value = split["value"]
            for q in range(quadrature_nodes):
                product[here, q] *= value
        else:
            right = split["right"] - begin
            for q in range(quadrature_nodes):
                product[here, q] = product[here + 1, q] + product[right, q]
        effect = 0.0
        if kind != _FROZEN:
            for q in range(quadrature_nodes):
                effect += product[here, q] * slope[begin + here, kind, q]
        effects[here] = effect
