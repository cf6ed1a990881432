"""What a model reads: frozen descriptions of its inputs, and the matrix made from a snapshot frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.words import counted

MAX_CATEGORIES = 50
BLOCK = 512  # rows of a snapshot worked on at a time: what is made of them then fits a processor's cache


@dataclass(frozen=True, kw_only=True)
class Input:
    """One model input, frozen at training: type and categories, and the words it is explained with.

    `sentence` holds `{value}`; `signal` names the group of correlated inputs shown as one reason.
    """

    name: str
    kind: Literal["number", "category"]
    family: str
    signal: str
    unit: str
    meaning: str
    sentence: str
    categories: tuple[str, ...] = ()


def learn_categories(inputs: Sequence[Input], frame: pd.DataFrame) -> tuple[Input, ...]:
    """The inputs with the categories seen in `frame`: the commonest, at most 50, in alphabetical order."""
    completed = []
    for item in inputs:
        if item.kind == "category":
            counts = frame[item.name].value_counts()
            common = sorted(counts.index, key=lambda label: (-counts[label], label))[:MAX_CATEGORIES]
            item = replace(item, categories=tuple(sorted(str(label) for label in common)))
        completed.append(item)
    return tuple(completed)


def matrix(inputs: Sequence[Input], frame: pd.DataFrame) -> NDArray[np.float64]:
    """The inputs as columns, in their frozen order.

    Parameters
    ----------
    inputs
        Descriptions learned at training.
    frame
        Snapshot rows; extra columns are ignored.

    Returns
    -------
    ndarray of shape (rows, inputs)
        Numbers as they are; a category as its position in `categories`; NaN for missing or unknown ones.

    Raises
    ------
    ValueError
        A column the model needs is absent.
    """
    absent = [item.name for item in inputs if item.name not in frame.columns]
    if absent:
        raise ValueError(
            f"The snapshots lack {counted(len(absent), 'input')} the model was trained on: {', '.join(absent[:5])}. "
            "Provide the tables and columns that make them, or train again."
        )
    columns = np.empty((len(frame), len(inputs)))
    numbers = [position for position, item in enumerate(inputs) if item.kind == "number"]
    columns[:, numbers] = frame[[inputs[position].name for position in numbers]].to_numpy(dtype=np.float64)
    for position, item in enumerate(inputs):
        if item.kind == "category":
            columns[:, position] = _codes(item, frame[item.name])
    return columns


def in_blocks(rows: int) -> Iterator[slice]:
    """Slices of at most `BLOCK` rows that cover all of them, at least one slice: what is worked on at a time."""
    return (slice(start, min(start + BLOCK, rows)) for start in range(0, max(rows, 1), BLOCK))


def evenly_spread(rows: int, most: int) -> NDArray[np.int64]:
    """Positions of rows to stand for all: at most so many, evenly spread from the first to the last."""
    return np.linspace(0, rows - 1, min(rows, most)).astype(np.int64)


def _codes(item: Input, values: "pd.Series[str]") -> NDArray[np.float64]:
    positions = {label: float(position) for position, label in enumerate(item.categories)}
    return np.array([positions.get(label, np.nan) for label in values.tolist()], dtype=np.float64)
