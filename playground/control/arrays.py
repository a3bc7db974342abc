"""Numbers as they come in, checked: float64 arrays, with words for what is wrong with them.

Knows nothing about fits or curves. Accepts lists, NumPy arrays and tensors (anything with ``detach``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.errors import PlaygroundError

Floats = NDArray[np.float64]
LARGEST_LOG = 1e12
"""Nats: beyond, a float64 has no digits left for a difference of a thousandth."""


def floats(values: Any, name: str) -> Floats:
    """A float64 copy; PlaygroundError where it holds something else than numbers."""
    if "complex" in str(getattr(values, "dtype", "")):  # its imaginary part would be dropped
        raise PlaygroundError(f"{name} must be real numbers; these are complex.")
    if hasattr(values, "detach"):  # a tensor, on whatever device, of whatever precision
        values = values.detach().cpu().double().numpy()
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # the last: a list of tensors with gradients
        raise PlaygroundError(f"{name} must be numbers, in a list or an array: {error}") from error


def vector(values: Any, name: str, length: int | None = None) -> Floats:
    """float64[N] without NaN."""
    array = np.atleast_1d(floats(values, name))
    if array.ndim != 1:
        raise PlaygroundError(f"{name} must be one row of numbers; got an array of shape {array.shape}.")
    if length is not None and array.size != length:
        raise PlaygroundError(f"{name} has {array.size} numbers and {length} are needed.")
    if np.isnan(array).any():
        raise PlaygroundError(f"{name} holds NaN, which is not a number (first at row {_first(array, np.isnan)}).")
    return array


def log_values(values: Any, name: str, length: int | None = None) -> Floats:
    """float64[N] of logarithms: finite, or -inf for zero."""
    array = vector(values, name, length)
    if (array == np.inf).any():
        row = _first(array, np.isposinf)
        raise PlaygroundError(f"{name} holds +inf (first at row {row}), and no probability is infinite.")
    if (array > LARGEST_LOG).any() or (array[array > -np.inf] < -LARGEST_LOG).any():
        raise PlaygroundError(f"{name} holds logarithms beyond ±{LARGEST_LOG:g}, which nothing can be compared with.")
    return array


def table(values: Any, name: str) -> Floats:
    """float64[N,F]; one column may be given as float64[N]."""
    array = floats(values, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size:
        raise PlaygroundError(f"{name} must be a table, a row a text and a column a feature; got shape {array.shape}.")
    return array


def names_of(given: Sequence[str] | None, count: int) -> list[str]:
    """A name for each feature."""
    if given is None:
        return [f"feature {number + 1}" for number in range(count)]
    if len(given) != count:
        raise PlaygroundError(f"names has {len(given)} names and there are {count} features.")
    return list(given)


def _first(array: Floats, test: Callable[[Floats], Any]) -> int:
    return int(np.flatnonzero(test(array))[0])


def empty() -> Floats:
    """float64[0]."""
    return np.zeros(0)
