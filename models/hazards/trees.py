"""Boosted trees (LightGBM) that begin at the level of the kind of month."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from models.hazards.fit_settings import Tuning, required
from models.hazards.hazard import NONE, Hazard, Rows
from models.hazards.model_inputs import Input
from models.hazards.month_level import LEVEL_L2, MonthLevel
from models.hazards.tree_shap import TreeShap

Array = NDArray[np.float64]


class TreeHazard(Hazard):
    """Trees boosted from the level of the kind of month on.

    Parameters
    ----------
    inputs
        Descriptions of the columns; those of kind `category` are split as categories.
    trees, leaves, learning_rate, min_rows_per_leaf, l2
        LightGBM's num_boost_round, num_leaves, learning_rate, min_data_in_leaf, lambda_l2.
    seed, threads
        The result depends on the seed only.
    tuning
        The finer settings; None in a model that was read from text, which only predicts.
    monotone
        +1 or -1 for inputs with which what the trees add to the level may only rise, or only fall.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        *,
        trees: int,
        leaves: int,
        learning_rate: float,
        min_rows_per_leaf: int,
        l2: float,
        seed: int,
        threads: int,
        tuning: Tuning | None = None,
        monotone: Mapping[str, int] | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.monotone = monotone or {}
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.min_rows_per_leaf = min_rows_per_leaf
        self.l2 = l2
        self.seed = seed
        self.threads = threads
        self.tuning = tuning

    def fit(self, rows: Rows, others: Rows | None = None) -> Self:
        """Boost; with `others`, as many trees as serve their log-loss best, at least `tuning.min_trees`.

        Raises
        ------
        ValueError
            There is no `tuning`.
        """
        tuning = required(self.tuning)
        self.level_ = MonthLevel(self.inputs, l2=LEVEL_L2).fit(rows)
        train = self._dataset(rows, tuning)
        valid = [] if others is None else [self._dataset(others, tuning, train)]
        stop: list[Callable[..., Any]] = []
        if others is not None:
            stop.append(lightgbm.early_stopping(tuning.patience, verbose=False))
        self.booster_ = lightgbm.train(
            self._parameters(tuning), train, num_boost_round=self.trees, valid_sets=valid, callbacks=stop
        )
        best = self.booster_.best_iteration if others is not None else self.trees
        self.trees_ = max(min(tuning.min_trees, self.trees), best)
        return self

    def level(self, inputs: Array, decided: Array = NONE) -> Array:
        """Log-odds of the kind of month, shape (rows,)."""
        return self.level_.margin(inputs, decided)

    def beyond(self, inputs: Array) -> Array:
        """What the trees add to them, shape (rows,)."""
        raw = self.booster_.predict(inputs, raw_score=True, num_iteration=self.trees_, num_threads=self.threads)
        return np.asarray(raw, dtype=np.float64)

    def contributions(self, inputs: Array) -> tuple[Array, float]:
        """Exact path-dependent TreeSHAP values of what the trees add, and its expected value."""
        if not hasattr(self, "_shap"):
            self._shap = TreeShap(lightgbm.Booster(model_str=self._trees_text()), threads=self.threads)
        return self._shap.contributions(inputs)

    def to_text(self) -> str:
        """The level and the trees as JSON."""
        return json.dumps({"level": self.level_.to_dict(), "trees": self._trees_text()})

    @property
    def mean_level_(self) -> float:
        """Mean log-odds of the kinds of months learned from."""
        return self.level_.mean_

    def _trees_text(self) -> str:
        """LightGBM's own text format: the trees that count, without the settings after them, which name the threads."""
        text: str = self.booster_.model_to_string(num_iteration=self.trees_)
        return text.partition("end of trees")[0] + "end of trees\n"

    @classmethod
    def from_text(cls, text: str, inputs: Sequence[Input], *, threads: int) -> Self:
        """A fitted model from `to_text`."""
        model = cls(inputs, trees=1, leaves=2, learning_rate=1.0, min_rows_per_leaf=1, l2=0.0, seed=0, threads=threads)
        content = json.loads(text)
        model.level_ = MonthLevel.from_dict(content["level"], model.inputs)
        model.booster_ = lightgbm.Booster(model_str=content["trees"])
        model.trees_ = model.booster_.num_trees()
        return model

    def _dataset(self, rows: Rows, tuning: Tuning, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
        categories = [position for position, item in enumerate(self.inputs) if item.kind == "category"]
        return lightgbm.Dataset(
            rows.inputs,
            rows.event,
            weight=rows.weight,
            init_score=self.level_.margin(rows.inputs, rows.decided),
            reference=reference,
            feature_name=[item.name for item in self.inputs],
            categorical_feature=categories,
            params={"verbosity": -1, "max_bin": tuning.max_bins, "enable_bundle": False},
        )

    def _parameters(self, tuning: Tuning) -> dict[str, Any]:
        return {
            "objective": "binary",
            "boost_from_average": False,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_rows_per_leaf,
            "min_sum_hessian_in_leaf": tuning.min_hessian_per_leaf,
            "extra_trees": tuning.extra_trees,
            "lambda_l2": self.l2,
            "cat_smooth": tuning.category_smoothing,
            "cat_l2": tuning.category_l2,
            "feature_fraction": tuning.feature_fraction,
            "bagging_fraction": tuning.bagging_fraction,
            "bagging_freq": 1,
            "max_bin": tuning.max_bins,
            "deterministic": True,
            "force_col_wise": True,
            "use_quantized_grad": False,
            "seed": self.seed,
            "num_threads": self.threads,
            "verbosity": -1,
            **({"monotone_constraints": [self.monotone.get(i.name, 0) for i in self.inputs]} if self.monotone else {}),
        }
