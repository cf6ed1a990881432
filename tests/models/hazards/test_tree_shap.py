"""TreeShap equals LightGBM's own contributions, on every kind of split it can meet."""

from itertools import combinations
from math import factorial
from typing import Any

import lightgbm
import numpy as np
import pytest

from models.hazards.tree_shap import TreeShap

pytestmark = pytest.mark.usefixtures("costly")

CODES = 9


def rows_to_explain(seed: int, rows: int = 400) -> np.ndarray:
    """Five numbers and two columns of category codes, a tenth missing, a tenth exactly zero."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, 7))
    values[:, 5:] = generator.integers(0, CODES, (rows, 2))
    values[generator.random(values.shape) < 0.1] = 0.0
    values[generator.random(values.shape) < 0.1] = np.nan
    return values


def booster(seed: int = 0, *, trees: int = 12, **settings: Any) -> lightgbm.Booster:
    values = rows_to_explain(seed)
    known = np.nan_to_num(values)
    score = known[:, 0] * known[:, 1] + known[:, 2] + (known[:, 5] % 3) - np.isnan(values[:, 3])
    noise = np.random.default_rng(seed + 1).normal(size=len(values))
    defaults = {
        "objective": "binary",
        "num_leaves": 31,
        "min_data_in_leaf": 3,
        "learning_rate": 0.3,
        "min_data_per_group": 5,
        "num_threads": 1,
        "verbosity": -1,
        "seed": seed,
    }
    data = lightgbm.Dataset(values, (score + noise > 1).astype(float), categorical_feature=[5, 6])
    return lightgbm.train({**defaults, **settings}, data, trees)


def assert_equals_lightgbm(fitted: lightgbm.Booster, rows: np.ndarray) -> None:
    expected = fitted.predict(rows, pred_contrib=True, num_threads=1)
    values, base = TreeShap(fitted).contributions(rows)
    np.testing.assert_allclose(values, expected[:, :-1], rtol=0, atol=1e-10)
    assert base == pytest.approx(expected[0, -1], abs=1e-10)


def test_what_a_row_shares_with_the_row_before_is_the_same_to_the_last_bit() -> None:
    """Effects are taken over from the row before where a tree sends both the same way."""
    fitted, rows = booster(4), rows_to_explain(104, 40)
    alike = np.repeat(rows, 3, axis=0)
    alike[:, 0] += np.tile([0.0, 0.01, 0.3], len(rows))
    shap = TreeShap(fitted)
    alone = np.vstack([shap.contributions(row[None])[0] for row in alike])
    np.testing.assert_array_equal(shap.contributions(alike)[0], alone)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("leaves", [2, 8, 127])
def test_equals_lightgbm_with_categories_and_missing_values(seed: int, leaves: int) -> None:
    assert_equals_lightgbm(booster(seed, num_leaves=leaves), rows_to_explain(seed + 100))


@pytest.mark.parametrize(
    "settings",
    [
        {"zero_as_missing": True},
        {"use_missing": False},
        {"objective": "regression"},
        {"bagging_fraction": 0.5, "bagging_freq": 1},
        {"max_cat_to_onehot": 20},
        {"boosting": "dart"},
        {"extra_trees": True, "max_depth": 3},
        {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},  # averaged: left to LightGBM
    ],
    ids=lambda settings: next(iter(settings)) + str(next(iter(settings.values()))),
)
def test_equals_lightgbm_for_each_setting(settings: dict[str, Any]) -> None:
    assert_equals_lightgbm(booster(**settings), rows_to_explain(7))


def test_unknown_negative_fractional_and_huge_category_codes_and_infinite_numbers() -> None:
    rows = rows_to_explain(3, rows=12)
    rows[:, 5] = [-3, -0.5, 0.5, 2.9, CODES, 40, 1e12, np.inf, -np.inf, np.nan, 31, 32]
    rows[:4, 0] = [np.inf, -np.inf, 1e-36, -1e-36]
    finite = np.abs(rows[:, 5]) < 1e9  # LightGBM casts codes to int: beyond its range the outcome is undefined
    for fitted in (booster(), booster(zero_as_missing=True)):
        assert_equals_lightgbm(fitted, rows[finite])
        assert np.isfinite(TreeShap(fitted).contributions(rows)[0]).all()


def test_a_fraction_of_a_category_code_counts_as_the_code_towards_zero() -> None:
    """As LightGBM has it: -0.5 is code 0. Code 0 alone scores high here, so it is split off."""
    codes = np.tile(np.arange(4.0), 100)[:, None]
    settings = {"objective": "regression", "verbosity": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 0}
    fitted = lightgbm.train(settings, lightgbm.Dataset(codes, codes[:, 0] == 0, categorical_feature=[0]), 2)
    rows = np.array([[-0.5], [0.0], [0.9], [-1.0], [1.9], [2.0]])
    assert_equals_lightgbm(fitted, rows)
    values, _ = TreeShap(fitted).contributions(rows)
    assert (values[:, 0] > 0).tolist() == [True, True, True, False, False, False]


def test_paths_with_more_features_than_the_smallest_quadrature_can_hold() -> None:
    values = np.random.default_rng(1).normal(size=(3000, 24))
    score = np.sign(values[:, :12]).prod(axis=1) + values.sum(axis=1)
    settings = {"objective": "regression", "num_leaves": 400, "min_data_in_leaf": 1, "verbosity": -1, "num_threads": 1}
    deep = lightgbm.train(settings, lightgbm.Dataset(values, score), 2)
    assert_equals_lightgbm(deep, values[:30])
    assert max(forest.step.shape[2] for forest in TreeShap(deep)._forests) > 4


def test_zero_missing_splits_and_categories_really_occur() -> None:
    text = booster(zero_as_missing=True).dump_model()
    assert '"missing_type": "Zero"' in str(text).replace("'", '"')
    assert '"decision_type": "=="' in str(text).replace("'", '"')


def test_single_leaf_trees_have_no_contributions() -> None:
    data = lightgbm.Dataset(rows_to_explain(0), np.ones(400))
    constant = lightgbm.train({"objective": "regression", "verbosity": -1, "num_threads": 1}, data, 3)
    values, base = TreeShap(constant).contributions(rows_to_explain(1))
    assert not values.any()
    assert base == 1.0


def test_single_leaf_trees_among_others() -> None:
    assert_equals_lightgbm(booster(min_gain_to_split=9.0, trees=40), rows_to_explain(5))


def test_splits_without_training_rows_are_left_to_lightgbm() -> None:
    text = booster(trees=1, num_leaves=3).model_to_string()
    counts = next(line for line in text.splitlines() if line.startswith("leaf_count="))
    emptied = lightgbm.Booster(model_str=text.replace(counts, f"leaf_count=0 {counts.partition(' ')[2]}"))
    assert TreeShap(emptied)._forests is None
    assert_equals_lightgbm(emptied, rows_to_explain(1, rows=20))


def test_very_deep_trees() -> None:
    values = np.arange(600.0)[:, None]
    settings = {
        "objective": "regression",
        "num_leaves": 300,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 0,
        "max_bin": 1000,
        "min_data_in_bin": 1,
        "verbosity": -1,
        "num_threads": 1,
    }
    chain = lightgbm.train(settings, lightgbm.Dataset(values, 1.01 ** values[:, 0]), 1)
    assert_equals_lightgbm(chain, values[::50])


def test_counts_trees_up_to_the_best_iteration() -> None:
    fitted = booster(trees=20)
    fitted.best_iteration = 5
    assert_equals_lightgbm(fitted, rows_to_explain(4, rows=20))
    assert_equals_lightgbm(lightgbm.Booster(model_str=fitted.model_to_string()), rows_to_explain(4, rows=20))


def test_values_and_base_add_up_to_the_raw_score() -> None:
    fitted, rows = booster(), rows_to_explain(2)
    values, base = TreeShap(fitted).contributions(rows)
    np.testing.assert_allclose(values.sum(axis=1) + base, fitted.predict(rows, raw_score=True), atol=1e-10)


def test_equals_the_definition_over_all_coalitions() -> None:
    """Two numbers, one tree: Shapley's formula over the game that follows both branches where a value is unknown."""
    values = np.random.default_rng(3).normal(size=(200, 2))
    settings = {"objective": "regression", "num_leaves": 6, "verbosity": -1, "num_threads": 1}
    fitted = lightgbm.train(settings, lightgbm.Dataset(values, values[:, 0] * values[:, 1]), 1)
    root, row = fitted.dump_model()["tree_info"][0]["tree_structure"], values[0]

    def game(node: dict[str, Any], known: tuple[int, ...]) -> float:
        if "leaf_value" in node:
            return float(node["leaf_value"])
        left, right = node["left_child"], node["right_child"]
        if node["split_feature"] in known:
            return game(left if row[node["split_feature"]] <= node["threshold"] else right, known)
        sizes = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
        return float(np.average([game(left, known), game(right, known)], weights=sizes))

    def shapley(feature: int) -> float:
        others = [other for other in range(2) if other != feature]
        coalitions = [chosen for size in range(2) for chosen in combinations(others, size)]
        weight = [factorial(len(chosen)) * factorial(1 - len(chosen)) / factorial(2) for chosen in coalitions]
        gains = [game(root, (*chosen, feature)) - game(root, chosen) for chosen in coalitions]
        return float(np.dot(weight, gains))

    found, _ = TreeShap(fitted).contributions(row[None])
    np.testing.assert_allclose(found[0], [shapley(0), shapley(1)], atol=1e-12)


@pytest.mark.parametrize("leaves", [8, 31])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_result_does_not_depend_on_threads_blocks_or_memory_layout(threads: int, leaves: int) -> None:
    fitted, rows = booster(num_leaves=leaves), rows_to_explain(6, rows=600)
    values, _ = TreeShap(fitted, threads=threads).contributions(np.asfortranarray(rows))
    alone, _ = TreeShap(fitted).contributions(rows[555:556])
    assert np.array_equal(values[555:556], alone)


@pytest.mark.parametrize("settings", [{}, {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}])
def test_no_rows(settings: dict[str, Any]) -> None:
    values, base = TreeShap(booster(**settings)).contributions(np.empty((0, 7)))
    assert values.shape == (0, 7)
    assert np.isfinite(base)


def test_refuses_rows_of_another_width() -> None:
    with pytest.raises(ValueError, match=r"rows must have shape \(rows, 7\), got \(2, 3\)"):
        TreeShap(booster()).contributions(np.zeros((2, 3)))


def test_refuses_several_scores_a_row() -> None:
    data = lightgbm.Dataset(rows_to_explain(0), np.arange(400) % 3)
    settings = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    with pytest.raises(ValueError, match="3 scores a row"):
        TreeShap(lightgbm.train(settings, data, 1))


def test_refuses_linear_trees() -> None:
    values = np.random.default_rng(0).normal(size=(300, 3))
    settings = {"objective": "regression", "linear_tree": True, "verbosity": -1, "num_threads": 1}
    linear = lightgbm.train(settings, lightgbm.Dataset(values, values[:, 0] * values[:, 1]), 3)
    with pytest.raises(ValueError, match="linear trees cannot be explained"):
        TreeShap(linear)
