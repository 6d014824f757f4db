"""Variables of a component side by side in one array, as OpenMDAO's vectors have them.

A look-up by name takes OpenMDAO some microseconds, each: a network that takes 0.1 ms would spend
more on these than on its time steps.
"""

import numpy as np


class FlatVariables:
    """All inputs, or all outputs, of a component, in the order in which it declares them.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Their names and shapes.

    Attributes
    ----------
    size : int
        Numbers in all of them.
    """

    def __init__(self, shapes):
        self._shapes = dict(shapes)
        self._slices = {}
        self.size = 0
        for name, shape in shapes.items():
            stop = self.size + int(np.prod(shape))
            self._slices[name] = slice(self.size, stop)
            self.size = stop

    def place(self, name):
        """Return where a variable stands among all, as a slice."""
        return self._slices[name]

    def get(self, vector):
        """Return the values in an OpenMDAO vector, or a mapping, as one array of the size `size`.

        It may be the vector's own; variables that are not in it are zero.
        """
        if self._is_all_of(vector):
            return vector.asarray()
        values = {name: value for name, value in vector.items() if name in self._slices}
        flat = np.zeros(self.size, np.result_type(float, *values.values()))
        for name, value in values.items():
            flat[self._slices[name]] = np.ravel(value)
        return flat

    def put(self, flat, vector):
        """Set the variables that are in a vector to these values."""
        if self._is_all_of(vector):
            vector.asarray()[:] = flat
            return
        for name, part in self._slices.items():
            if name in vector:
                vector[name] = flat[part].reshape(self._shapes[name])

    def add(self, flat, vector):
        """Add these values to the variables that are in a vector."""
        if self._is_all_of(vector):
            vector.asarray()[:] += flat
            return
        for name, part in self._slices.items():
            if name in vector:
                vector[name] += flat[part].reshape(self._shapes[name])

    def by_name(self, flat):
        """Yield names and values."""
        for name, part in self._slices.items():
            yield name, flat[part].reshape(self._shapes[name])

    def _is_all_of(self, vector):
        """Return whether the vector has these variables, all in use now, and no others."""
        return (
            hasattr(vector, 'asarray')
            and len(vector) == self.size
            and sum(1 for _ in vector) == len(self._slices)
        )
