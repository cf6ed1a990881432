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

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from models.hazards.dumped_trees import Node, Tree, read_trees
from models.hazards.shap_loops import SPLIT, explain, look_up, tabulate

Array = NDArray[np.float64]
Integers = NDArray[np.int32]
_BLOCK = 256  # rows at a time: they and their values stay in cache while all trees pass
_TABLED = 8  # splits of the largest tree whose 2 ** splits patterns are tabled


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
        trees = read_trees(model)
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
        some_rows = rows if len(rows) else np.full((1, self.features), np.nan)
        values = np.asarray(self.booster.predict(some_rows, pred_contrib=True, num_threads=self.threads))
        return values[: len(rows), :-1], float(values[0, -1])


@dataclass(frozen=True)
class _Forest:
    """Trees back to back as arrays, in the form the compiled loops read; positions count from the first tree's root."""

    first: Integers  # node of each tree, then the end
    splits: NDArray[np.void]  # a `SPLIT` record a node; a leaf has feature -1
    goes_left: NDArray[np.bool_]  # by category code, for all categorical splits in turn
    step: Array  # (nodes, hot or cold, quadrature nodes): factor relative to the parent's product
    slope: Array  # the same shape: weighted logarithmic derivative of that factor

    def add(self, rows: Array, values: Array) -> None:
        """Add the Shapley values of rows to `values`."""
        explain(rows, values, self.first, self.splits, self.goes_left, self.step, self.slope)


@dataclass(frozen=True)
class _Tabled:
    """Small trees: their splits back to back, and what each pattern of decisions comes to."""

    first: Integers  # split of each tree, then the end
    splits: NDArray[np.void]  # a `SPLIT` record a split, no leaves
    goes_left: NDArray[np.bool_]
    effects: Array  # (trees, patterns, splits): bit k of the pattern is 1 where the tree's split k sends the row left

    def add(self, rows: Array, values: Array) -> None:
        """Add the Shapley values of rows to `values`."""
        added = np.zeros(values.shape[::-1])
        look_up(np.ascontiguousarray(rows.T), added, self.first, self.splits, self.goes_left, self.effects)
        values += added.T


def _forests(trees: Sequence[Tree]) -> list[_Forest | _Tabled]:
    """Small trees that have the same number of splits, and others that need as many quadrature nodes, together."""
    small: dict[tuple[int, int], list[Tree]] = {}
    large: dict[int, list[Tree]] = {}
    for tree in trees:
        splits, size = len(tree.nodes) // 2, tree.quadrature_nodes()
        (small.setdefault((splits, size), []) if splits <= _TABLED else large.setdefault(size, [])).append(tree)
    tabled = [_tabled(_forest(alike, size), splits) for (splits, size), alike in sorted(small.items())]
    return [*tabled, *(_forest(alike, size) for size, alike in sorted(large.items()))]


def _forest(trees: Sequence[Tree], quadrature_nodes: int) -> _Forest:
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
    tabulate(forest.first, forest.splits, forest.step, forest.slope, effects)
    first = np.arange(trees + 1, dtype=np.int32) * np.int32(splits)
    return _Tabled(first, forest.splits[forest.splits["feature"] >= 0], forest.goes_left, effects)


def _splits(nodes: Sequence[Node], offset: NDArray[np.int64]) -> NDArray[np.void]:
    splits = np.zeros(len(nodes), dtype=SPLIT)
    for name in ("feature", "missing", "default_left", "threshold", "value", "ratio"):
        splits[name] = [getattr(node, name) for node in nodes]
    for name in ("parent", "upper", "right"):
        position = np.array([getattr(node, name) for node in nodes])
        splits[name] = np.where(position < 0, -1, position + offset)
    splits["category_count"] = [max(node.categories, default=-1) + 1 for node in nodes]
    splits["category_start"] = np.cumsum(splits["category_count"]) - splits["category_count"]
    return splits


def _goes_left(nodes: Sequence[Node], splits: NDArray[np.void]) -> NDArray[np.bool_]:
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
    t, weight, passing = (points + 1) / 2, weights / 2, share[:, None]
    factor = np.stack([t + (1 - t) * passing, (1 - t) * passing], axis=1)
    derivative = np.stack([1 - passing, -passing], axis=1)
    step, slope = factor.copy(), weight * derivative / factor
    repeats = upper >= 0
    step[repeats] /= factor[upper[repeats], :1]
    slope[repeats] -= (weight * derivative / factor)[upper[repeats], :1]
    return step, slope
