"""Smooth functions with closed-form derivatives, and ways of computing them inexactly."""

import numpy as np
from numpy import cos, cosh, exp, sin, sqrt, tanh

# name: (function, derivative, point). Residuals of least-squares problems as in Moré, Garbow and
# Hillstrom, ACM Trans. Math. Softw. 7, 1981, along one variable.
FUNCTIONS = {
    'exp': (exp, exp, 1.0),
    'exp, steep': (lambda x: exp(5 * x), lambda x: 5 * exp(5 * x), 0.7),
    'exp, falling': (lambda x: exp(-3 * x), lambda x: -3 * exp(-3 * x), 1.2),
    'sine': (sin, cos, 0.8),
    'sine, 10': (lambda x: sin(10 * x), lambda x: 10 * cos(10 * x), 1.1),
    'sine, 100': (lambda x: sin(100 * x), lambda x: 100 * cos(100 * x), 0.9),
    'two sines': (
        lambda x: sin(3 * x) + 0.2 * sin(37 * x),
        lambda x: 3 * cos(3 * x) + 7.4 * cos(37 * x),
        1.0,
    ),
    'Runge': (lambda x: 1 / (1 + 25 * x * x), lambda x: -50 * x / (1 + 25 * x * x) ** 2, 0.4),
    'rational': (
        lambda x: (x**2 + 1) / (x**3 + 2),
        lambda x: (2 * x * (x**3 + 2) - 3 * x * x * (x**2 + 1)) / (x**3 + 2) ** 2,
        1.5,
    ),
    'saturating': (lambda x: x / (x + 0.05), lambda x: 0.05 / (x + 0.05) ** 2, 0.6),
    'Rosenbrock': (
        lambda x: 100 * (1 - x * x) ** 2 + (1 - x) ** 2,
        lambda x: -400 * x * (1 - x * x) - 2 * (1 - x),
        1.3,
    ),
    'Freudenstein and Roth': (
        lambda x: -13 + x + ((5 - x) * x - 2) * x,
        lambda x: -1 + 10 * x - 3 * x * x,
        2.0,
    ),
    'Powell, badly scaled': (
        lambda x: exp(-x) + exp(-1.5 / x) - 1.0001,
        lambda x: -exp(-x) + 1.5 / x**2 * exp(-1.5 / x),
        1.4,
    ),
    'helical valley': (
        lambda x: 10 * (sqrt(x * x + 0.7) - 1),
        lambda x: 10 * x / sqrt(x * x + 0.7),
        1.1,
    ),
    'Bard': (
        lambda x: 0.14 - (x + 1 / 18.8) + 2 / (x + 3),
        lambda x: -1 - 2 / (x + 3) ** 2,
        1.0,
    ),
    'Kowalik and Osborne': (
        lambda x: 0.1957 * (x * x + 4 * x) / (x * x + 0.4 * x + 0.3),
        lambda x: (
            0.1957
            * ((2 * x + 4) * (x * x + 0.4 * x + 0.3) - (x * x + 4 * x) * (2 * x + 0.4))
            / (x * x + 0.4 * x + 0.3) ** 2
        ),
        0.7,
    ),
    'Meyer': (
        lambda x: 0.02 * exp(6.3 / (x + 0.5)),
        lambda x: -0.126 / (x + 0.5) ** 2 * exp(6.3 / (x + 0.5)),
        2.0,
    ),
    'large offset': (lambda x: 1e4 + sin(2 * x), lambda x: 2 * cos(2 * x), 0.9),
    'offset tanh': (lambda x: 300 + tanh(4 * x), lambda x: 4 / cosh(4 * x) ** 2, 0.3),
    'hardly curved': (
        lambda x: 2 * x + 1e-3 * (x - 1) ** 4 + 5,
        lambda x: 2 + 4e-3 * (x - 1) ** 3,
        1.0,
    ),
}


class Output:
    """A function, computed inexactly.

    Parameters
    ----------
    name : str
        Of the function.
    kind : {'uniform', 'gaussian', 'float32', 'solver'}
        Random relative noise, single precision, or a bisection that stops at 2**-20 of its bracket.
    level : float
        Standard deviation of the random kinds, relative to the value.
    """

    def __init__(self, name, kind, level):
        self.name, self.kind, self.level = name, kind, level
        self.exact, self.slope, self.at = FUNCTIONS[name]

    @property
    def is_random(self):
        """Whether two evaluations at one point differ."""
        return self.kind in ('uniform', 'gaussian')

    def deviates(self, rng, shape):
        """Return noise of unit variance."""
        if self.kind == 'uniform':
            return rng.uniform(-(3**0.5), 3**0.5, shape)
        return rng.standard_normal(shape)

    def __call__(self, x, rng=None, deviates=None):
        """Return values at an array of points, with new noise or with given deviates."""
        value = self.exact(np.asarray(x, dtype=float))
        if self.is_random:
            noise = self.deviates(rng, value.shape) if deviates is None else deviates
            return value * (1 + self.level * noise)
        if self.kind == 'float32':
            return value.astype(np.float32).astype(float)
        # The bracket grows with x: no step keeps all its points at one place in their cells.
        half = 2.0 * max(1.0, abs(float(self.exact(self.at)))) * (1 + np.asarray(x) ** 2)
        cell = half / 2**19
        return (np.floor(value / cell) + 0.5) * cell

    def __str__(self):
        """Name function and noise."""
        return f'{self.name}, {self.kind}' + (f' {self.level:.0e}' if self.is_random else '')


def drawn(rng, number):
    """Return components: lists of four outputs that share their input's point.

    A quarter of the outputs is deterministic; the levels of the others are spread evenly, in
    logarithm, from 1e-14 to 1e-2.
    """
    names = list(FUNCTIONS)
    components = []
    for _ in range(number):
        outputs = []
        for name in rng.choice(names, 4, replace=False):
            kinds = ('uniform', 'gaussian', 'uniform', 'gaussian', 'uniform', 'gaussian')
            kind = rng.choice((*kinds, 'float32', 'solver'))
            outputs.append(Output(name, kind, 10 ** rng.uniform(-14, -2)))
        components.append(outputs)
    return components
