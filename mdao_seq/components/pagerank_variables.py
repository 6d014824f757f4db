"""Where each variable of a `PageRankComp` stands in the arguments of a solve."""

import numpy as np

from mdao_seq.components.flat_variables import FlatVariables


class PageRankVariables:
    """The inputs and outputs of a `PageRankComp`, and their way into and out of a solve.

    Parameters
    ----------
    values : dict of str to ndarray
        Weights, damping, personalization and dangling, as far as there are any: what inputs start
        from, and what the others are fixed at.
    inputs : sequence of str
        The inputs among them.
    edge_groups : EdgeGroups or None
        If given, ``values['weights']`` has factors of groups.
    readout : Readout
        What the outputs are made of.

    Attributes
    ----------
    starts : dict of str to ndarray
        Inputs and what they start from.
    flat_inputs, flat_outputs : FlatVariables
        All inputs, and all outputs, in their order.
    """

    def __init__(self, values, inputs, edge_groups, readout):
        self.starts = {name: values[name] for name in values if name in inputs}
        self._fixed = {name: values[name] for name in values if name not in inputs}
        self._edge_groups = edge_groups
        self.readout = readout
        self.flat_inputs = FlatVariables({name: np.shape(v) for name, v in self.starts.items()})
        self.flat_outputs = FlatVariables(readout.shapes)

    def point(self, values):
        """Return the arguments of a solve, by name, of input values (size,)."""
        point = self._fixed | {
            name: _real_where_possible(value) for name, value in self.flat_inputs.by_name(values)
        }
        if self._edge_groups is not None and 'weights' in self.starts:
            point['weights'] = self._edge_groups.weights(point['weights'])
        return point | {'damping': np.ravel(point['damping'])[0]}

    def batch(self, inputs):
        """Return the same for many points, each with a leading axis."""
        count = len(next(iter(inputs.values())))
        batch = {
            name: np.broadcast_to(value, (count, *np.shape(value)))
            for name, value in self._fixed.items()
        } | inputs
        if self._edge_groups is not None and 'weights' in inputs:
            batch['weights'] = np.array([self._edge_groups.weights(w) for w in inputs['weights']])
        return batch | {'damping': batch['damping'].reshape(count)}

    def fixed(self, name):
        """Return the value of what is not an input."""
        return self._fixed[name]

    def weight_columns(self, edges):
        """Return the entries of the input weights that some edges take theirs from."""
        if self._edge_groups is None:
            return edges
        factors = self._edge_groups.group[edges]
        return factors[factors >= 0]

    def change(self, d_inputs):
        """Return the arguments of a forward product."""
        change = dict(self.flat_inputs.by_name(self.flat_inputs.get(d_inputs)))
        if self._edge_groups is not None and 'weights' in change:
            change['weights'] = self._edge_groups.change(change['weights'])
        if 'damping' in change:
            change['damping'] = change['damping'][0]
        return change

    def by_input(self, gradient):
        """Yield inputs and what a reverse product gives for them."""
        for name in self.starts:
            derivative = getattr(gradient, name)
            if derivative is None:
                continue
            if self._edge_groups is not None and name == 'weights':
                derivative = self._edge_groups.sensitivity(derivative)
            yield name, np.atleast_1d(derivative)


def _real_where_possible(value):
    """Return `value`, real if its imaginary part is zero, and in one piece for compiled loops."""
    if not np.iscomplexobj(value) or np.any(value.imag):
        return value
    return np.ascontiguousarray(value.real)
