"""Exact Shapley values of boosted trees, several times faster than LightGBM's own `pred_contrib`.

The game is the path-dependent one of Lundberg et al. (2020), "From local explanations to global understanding with
explainable AI for trees": where a feature is not known, a tree follows both branches in proportion to the training rows
that went each way. The Shapley value of a feature is the integral over t from 0 to 1 of the derivative of the game's
multilinear extension, in which every feature is known with chance t (Owen, 1972). Along the path to one leaf the
extension is a product with a factor for each distinct feature,

    factor(t) = t * hot + (1 - t) * share,

where `hot` is 1 if the row's own values pass all of the path's splits on that feature, else 0, and `share` is the share
of training rows that do. The integrand is thus a polynomial of degree (features on the path - 1), for which
Gauss-Legendre quadrature with half as many nodes is exact.

What a row's effects in a tree are depends on nothing but the way that each of the tree's splits sends it. A small tree
has few such patterns: their effects are tabled once, and a row looks its own up.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import lightgbm
import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int32]

_HOT, _COLD, _FROZEN = 0, 1, 2
_NO_MISSING, _ZERO_MISSING, _NAN_MISSING = 0, 1, 2
_MISSING = {"None": _NO_MISSING, "Zero": _ZERO_MISSING, "NaN": _NAN_MISSING}
_ZERO = float(np.float32(1e-35))  # what LightGBM takes for zero
_LANES = 4  # numbers in a vector register
_BLOCK = 256  # rows at a time: they and their values stay in cache while all trees pass
_TABLED = 8  # splits of the largest tree whose 2 ** splits patterns are tabled
_SPLIT = np.dtype(
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
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """Compiled by numba at first use, once a process, without files on disk.

    Full fast-math would let the compiler drop the tests for NaN.
    """
    compiled: Any = numba.njit(nogil=True, fastmath={"reassoc", "contract", "arcp", "nsz"})(function)
    return cast(Function, compiled)


class TreeShap:
    """Shapley values of one booster's raw score.

    Boosters outside the fast path (random forests, splits with no training rows on a side) are left to LightGBM, with
    the same result to rounding.

    Parameters
    ----------
    booster
        A fitted LightGBM booster with one score a row; the trees up to its best iteration count.
    threads
        The result does not depend on it.

    Raises
    ------
    ValueError
        A multiclass booster, or one with linear trees, for which Shapley values are not defined here or in LightGBM.
    """

    def __init__(self, booster: lightgbm.Booster, *, threads: int = 1) -> None:
        model = booster.dump_model()
        if model["num_tree_per_iteration"] != 1:
            raise ValueError(
                f"A booster with {model['num_tree_per_iteration']} scores a row cannot be explained; "
                "fit one booster for each outcome."
            )
        self.booster = booster
        self.threads = threads
        self.features: int = model["max_feature_idx"] + 1
        trees = _read_trees(model)
        self._forests = None if trees is None else _forests(trees)
        self._base = 0.0 if trees is None else float(sum(tree.expected_value() for tree in trees))

    def contributions(self, rows: Array) -> tuple[Array, float]:
        """Shapley values of each feature, and the expected score they start from.

        Parameters
        ----------
        rows
            Feature values in the order of training, categories as codes, shape (rows, features).

        Returns
        -------
        values : ndarray of shape (rows, features)
            `values.sum(axis=1) + base` is the booster's raw score.
        base : float
            Mean raw score over the training rows.
        """
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows must have shape (rows, {self.features}), got {rows.shape}")
        if self._forests is None:
            return self._by_lightgbm(rows)
        values = np.zeros(rows.shape)
        blocks = [slice(start, start + _BLOCK) for start in range(0, len(rows), _BLOCK)]
        if self.threads == 1 or len(blocks) < 2:
            for block in blocks:
                self._add_block(rows[block], values[block])
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(lambda block: self._add_block(rows[block], values[block]), blocks))
        return values, self._base

    def _add_block(self, rows: Array, values: Array) -> None:
        for forest in self._forests or ():
            forest.add(rows, values)

    def _by_lightgbm(self, rows: Array) -> tuple[Array, float]:
        filled = rows if len(rows) else np.full((1, self.features), np.nan)
        values = np.asarray(self.booster.predict(filled, pred_contrib=True, num_threads=self.threads))
        return values[: len(rows), :-1], float(values[0, -1])


@dataclass
class _Node:
    """One node, in pre-order: a node's left child follows it. Positions count from the tree's root."""

    parent: int
    rows: int  # of training
    upper: int = -1  # nearest node above that was entered by a split on the same feature; -1 if none
    ratio: float = 1.0  # training rows here / in the parent
    share: float = 1.0  # training rows that pass all of the path's splits on the feature it was entered by
    depth: int = 0  # distinct features on the path
    value: float = 0.0
    right: int = 0
    feature: int = -1
    threshold: float = np.nan
    categories: tuple[int, ...] = ()
    default_left: bool = False
    missing: int = 0


@dataclass(frozen=True)
class _Tree:
    nodes: list[_Node]

    def expected_value(self) -> float:
        """Mean leaf value over the training rows."""
        weights = [1.0]
        for node in self.nodes[1:]:
            weights.append(weights[node.parent] * node.ratio)
        return sum(weight * node.value for weight, node in zip(weights, self.nodes, strict=True))

    def quadrature_nodes(self) -> int:
        """Enough for exact integrals along the longest path, rounded up to whole vector registers."""
        deepest = max(node.depth for node in self.nodes)
        return _LANES * max(1, -(-deepest // (2 * _LANES)))


@dataclass(frozen=True)
class _Forest:
    """Trees back to back as arrays, in the form the compiled loops read; positions count from the first tree's root."""

    first: Integers  # node of each tree, then the end
    splits: NDArray[np.void]  # a `_SPLIT` record a node; a leaf has feature -1
    goes_left: NDArray[np.bool_]  # by category code, for all categorical splits in turn
    step: Array  # (nodes, hot or cold, quadrature nodes): factor relative to the parent's product
    slope: Array  # the same shape: weighted logarithmic derivative of that factor

    def add(self, rows: Array, values: Array) -> None:
        """Add the Shapley values of rows to `values`."""
        _explain(rows, values, self.first, self.splits, self.goes_left, self.step, self.slope)


@dataclass(frozen=True)
class _Tabled:
    """Small trees: their splits back to back, and what each pattern of decisions comes to."""

    first: Integers  # split of each tree, then the end
    splits: NDArray[np.void]  # a `_SPLIT` record a split, no leaves
    goes_left: NDArray[np.bool_]
    effects: Array  # (trees, patterns, splits): bit k of the pattern is 1 where the tree's split k sends the row left

    def add(self, rows: Array, values: Array) -> None:
        """Add the Shapley values of rows to `values`."""
        added = np.zeros(values.shape[::-1])
        _look_up(np.ascontiguousarray(rows.T), added, self.first, self.splits, self.goes_left, self.effects)
        values += added.T


def _read_trees(model: Mapping[str, Any]) -> list[_Tree] | None:
    """The trees of LightGBM's dump, or None where the fast path does not apply."""
    if model.get("average_output"):
        return None
    trees = []
    for info in model["tree_info"]:
        nodes = list(_dumped_nodes(info["tree_structure"]))
        if any("leaf_coeff" in node for node in nodes):
            raise ValueError("A booster with linear trees cannot be explained; fit it with linear_tree=false.")
        if any(_training_rows(node) == 0 for node in nodes):
            return None
        trees.append(_Tree(_read_nodes(info["tree_structure"])))
    return trees


def _dumped_nodes(root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [node[side] for side in ("right_child", "left_child") if side in node]


def _training_rows(node: Mapping[str, Any]) -> int:
    return int(node.get("internal_count", node.get("leaf_count", 1)))


def _read_nodes(root: Mapping[str, Any]) -> list[_Node]:
    """Nodes in pre-order, without recursion: a tree may be as deep as it has leaves."""
    nodes: list[_Node] = []
    waiting: list[tuple[Mapping[str, Any], int, Mapping[int, int]]] = [(root, -1, {})]
    while waiting:
        dumped, parent, entered = waiting.pop()
        node = _read_node(dumped, nodes, parent, entered)
        here = len(nodes)
        nodes.append(node)
        if parent >= 0:
            nodes[parent].right = here  # the right child comes last and stays
            entered = {**entered, nodes[parent].feature: here}
        node.depth = len(entered)
        waiting += [(dumped[side], here, entered) for side in ("right_child", "left_child") if side in dumped]
    return nodes


def _read_node(dumped: Mapping[str, Any], nodes: Sequence[_Node], parent: int, entered: Mapping[int, int]) -> _Node:
    """A node of the dump; `entered` holds the newest position on the path entered by a split on each feature."""
    node = _Node(parent=parent, rows=_training_rows(dumped))
    if parent >= 0:
        node.upper = entered.get(nodes[parent].feature, -1)
        node.ratio = node.rows / nodes[parent].rows
        node.share = node.ratio * (nodes[node.upper].share if node.upper >= 0 else 1.0)
    if "leaf_value" in dumped:
        node.value = float(dumped["leaf_value"])
        return node
    node.feature = dumped["split_feature"]
    node.default_left = dumped["default_left"]
    node.missing = _MISSING[dumped["missing_type"]]
    if dumped["decision_type"] == "==":
        node.categories = tuple(int(code) for code in str(dumped["threshold"]).split("||"))
    else:
        node.threshold = float(dumped["threshold"])
    return node


def _forests(trees: Sequence[_Tree]) -> list[_Forest | _Tabled]:
    """Small trees that have the same number of splits, and others that need as many quadrature nodes, together."""
    small: dict[tuple[int, int], list[_Tree]] = {}
    large: dict[int, list[_Tree]] = {}
    for tree in trees:
        splits, size = len(tree.nodes) // 2, tree.quadrature_nodes()
        (small.setdefault((splits, size), []) if splits <= _TABLED else large.setdefault(size, [])).append(tree)
    tabled = [_tabled(_forest(alike, size), splits) for (splits, size), alike in sorted(small.items())]
    return [*tabled, *(_forest(alike, size) for size, alike in sorted(large.items()))]


def _forest(trees: Sequence[_Tree], quadrature_nodes: int) -> _Forest:
    sizes = [len(tree.nodes) for tree in trees]
    first = np.cumsum([0, *sizes])
    nodes = [node for tree in trees for node in tree.nodes]
    splits = _splits(nodes, np.repeat(first[:-1], sizes))
    share = np.array([node.share for node in nodes])
    step, slope = _tables(share, splits["upper"], quadrature_nodes)
    return _Forest(first.astype(np.int32), splits, _goes_left(nodes, splits), step, slope)


def _tabled(forest: _Forest, splits: int) -> _Tabled:
    """The same trees, each of so many splits, with their effects by pattern of decisions."""
    trees = forest.first.size - 1
    effects = np.zeros((trees, 2**splits, splits))
    _tabulate(forest.first, forest.splits, forest.step, forest.slope, effects)
    first = np.arange(trees + 1, dtype=np.int32) * np.int32(splits)
    return _Tabled(first, forest.splits[forest.splits["feature"] >= 0], forest.goes_left, effects)


def _splits(nodes: Sequence[_Node], offset: NDArray[np.int64]) -> NDArray[np.void]:
    splits = np.zeros(len(nodes), dtype=_SPLIT)
    for name in ("feature", "missing", "default_left", "threshold", "value", "ratio"):
        splits[name] = [getattr(node, name) for node in nodes]
    for name in ("parent", "upper", "right"):
        position = np.array([getattr(node, name) for node in nodes])
        splits[name] = np.where(position < 0, -1, position + offset)
    splits["category_count"] = [max(node.categories, default=-1) + 1 for node in nodes]
    splits["category_start"] = np.cumsum(splits["category_count"]) - splits["category_count"]
    return splits


def _goes_left(nodes: Sequence[_Node], splits: NDArray[np.void]) -> NDArray[np.bool_]:
    goes_left = np.zeros(max(1, int(splits["category_count"].sum())), dtype=np.bool_)
    for node, start in zip(nodes, splits["category_start"], strict=True):
        goes_left[[start + code for code in node.categories]] = True
    return goes_left


def _tables(share: Array, upper: Integers, quadrature_nodes: int) -> tuple[Array, Array]:
    """`step` and `slope` of each node, for a row that stays hot and for one that turns cold there.

    A split on a feature already on the path replaces that feature's factor: its step divides by the former factor, its
    slope takes the former slope back. A row that was cold before stays cold; its step is the ratio of training rows
    and its slope zero.
    """
    points, weights = np.polynomial.legendre.leggauss(quadrature_nodes)
    t, weight, own = (points + 1) / 2, weights / 2, share[:, None]
    factor = np.stack([t + (1 - t) * own, (1 - t) * own], axis=1)
    derivative = np.stack([1 - own, -own], axis=1)
    step, slope = factor.copy(), weight * derivative / factor
    again = upper >= 0
    step[again] /= factor[upper[again], :1]
    slope[again] -= (weight * derivative / factor)[upper[again], :1]
    return step, slope


@_compiled
def _explain(
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
def _tabulate(first: Integers, splits: NDArray[np.void], step: Array, slope: Array, table: Array) -> None:
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
def _look_up(
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
        known = x > -1.0 and x < split["category_count"]  # false for NaN
        return bool(known and goes_left[split["category_start"] + int(x)])
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
