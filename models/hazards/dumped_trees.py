"""The trees of a LightGBM booster, read from its dump with what their Shapley values need."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.hazards.shap_loops import MISSING

_LANES = 4  # numbers in a vector register


@dataclass
class Node:
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
class Tree:
    """The nodes of one tree."""

    nodes: list[Node]

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


def read_trees(model: Mapping[str, Any]) -> list[Tree] | None:
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
        trees.append(Tree(_read_nodes(info["tree_structure"])))
    return trees


def _dumped_nodes(root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [node[side] for side in ("right_child", "left_child") if side in node]


def _training_rows(node: Mapping[str, Any]) -> int:
    return int(node.get("internal_count", node.get("leaf_count", 1)))


def _read_nodes(root: Mapping[str, Any]) -> list[Node]:
    """Nodes in pre-order, without recursion: a tree may be as deep as it has leaves."""
    nodes: list[Node] = []
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


def _read_node(dumped: Mapping[str, Any], nodes: Sequence[Node], parent: int, entered: Mapping[int, int]) -> Node:
    """A node of the dump; `entered` holds the newest position on the path entered by a split on each feature."""
    node = Node(parent=parent, rows=_training_rows(dumped))
    if parent >= 0:
        node.upper = entered.get(nodes[parent].feature, -1)
        node.ratio = node.rows / nodes[parent].rows
        node.share = node.ratio * (nodes[node.upper].share if node.upper >= 0 else 1.0)
    if "leaf_value" in dumped:
        node.value = float(dumped["leaf_value"])
        return node
    node.feature = dumped["split_feature"]
    node.default_left = dumped["default_left"]
    node.missing = MISSING[dumped["missing_type"]]
    if dumped["decision_type"] == "==":
        node.categories = tuple(int(code) for code in str(dumped["threshold"]).split("||"))
    else:
        node.threshold = float(dumped["threshold"])
    return node
