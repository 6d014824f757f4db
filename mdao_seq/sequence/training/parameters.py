"""All weights of a network as one vector."""

from collections.abc import Mapping

import numpy as np

from mdao_seq.sequence.cells.cell import Array


class ParameterVector:
    """Weights in one vector, so that an optimizer's step is a handful of operations.

    Parameters
    ----------
    weights : mapping
        Weights by name, which are copied.

    Attributes
    ----------
    values : ndarray (size,)
        All weights; change them in place.
    by_name : dict of str to ndarray
        Views of `values` by name.
    """

    def __init__(self, weights: Mapping[str, Array]):
        self.values = np.concatenate([weight.ravel() for weight in weights.values()])
        self.by_name: dict[str, Array] = {}
        start = 0
        for name, weight in weights.items():
            self.by_name[name] = self.values[start : start + weight.size].reshape(weight.shape)
            start += weight.size

    def flattened(self, weights: Mapping[str, Array]) -> Array:
        """Return arrays by name, such as a gradient, as one vector."""
        return np.concatenate([weights[name].ravel() for name in self.by_name])
