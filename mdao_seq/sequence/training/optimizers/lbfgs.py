"""L-BFGS."""

import warnings
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.training.objective import Objective
from mdao_seq.sequence.training.optimizers.optimizer import Optimizer, Pass

# Curvature below this part of the lengths is rounding.
_LEAST_CURVATURE = 1e-12


class LBFGS(Optimizer):
    """Limited-memory BFGS on all the data (Nocedal and Wright, 2006, algorithms 7.4 and 7.5).

    One pass is one iteration: a direction from the two-loop recursion, and a line search to the
    strong Wolfe conditions. It has no learning rate, and clips nothing: the line search sees to
    both.

    Parameters
    ----------
    size : int
        Number of parameters.
    memory : int
        Pairs of steps and changes of the gradient that are remembered.
    """

    takes_batches: ClassVar[bool] = False
    takes_windows: ClassVar[bool] = False

    def __init__(self, size: int, memory: int = 20) -> None:
        self._memory = memory
        self._steps = np.zeros((0, size))
        self._changes = np.zeros((0, size))
        # The loss one step before, from which the line search guesses the length of its first try.
        self._before: float | None = None

    def direction(self, gradient: Array) -> Array:
        """Return minus the inverse Hessian, as far as it is known, times the gradient."""
        along = gradient.copy()
        factors = []
        pairs = list(zip(self._steps, self._changes, strict=True))
        for step, change in reversed(pairs):
            factors.append((step @ along) / (step @ change))
            along -= factors[-1] * change
        if pairs:
            step, change = pairs[-1]
            along *= (step @ change) / (change @ change)
        for (step, change), factor in zip(pairs, reversed(factors), strict=True):
            along += (factor - (change @ along) / (step @ change)) * step
        return -along

    def go_through(self, objective: Objective, batches: Sequence[Array], rate: float) -> Pass:
        """Make one iteration (see `Optimizer.go_through`)."""
        (everything,) = batches
        penalized = _Penalized(objective, everything)
        at = objective.parameters.values.copy()
        loss, gradient = penalized(at)
        found = penalized.found
        length = self._searched(penalized, at, self.direction(gradient), loss, gradient)
        if length is None:
            # What is remembered misleads: forget it, and go down the slope.
            self._steps, self._changes = self._steps[:0], self._changes[:0]
            length = self._searched(penalized, at, self.direction(gradient), loss, gradient)
        if length is None:
            objective.parameters.values[:] = at
        else:
            new = at + length * self._tried
            objective.parameters.values[:] = new
            self._remember(new - at, penalized(new)[1] - gradient)
            self._before = loss
        return Pass(found.squares / found.number, float(np.linalg.norm(found.gradient)))

    def _searched(
        self, penalized: '_Penalized', at: Array, along: Array, loss: float, gradient: Array
    ) -> float | None:
        """Return how far to go; None if there is no way down."""
        self._tried = along
        before = self._before
        if before is None or not len(self._steps):
            # The first step has a length of about one weight, or less on a gentle slope.
            before = loss + 0.5 * min(1.0, float(np.linalg.norm(gradient))) * float(
                np.linalg.norm(gradient)
            )
        # Slow to import, and needed by few.
        from scipy.optimize import line_search

        with warnings.catch_warnings():
            # That there is no way down is an answer, not a fault.
            warnings.simplefilter('ignore', RuntimeWarning)
            found = line_search(
                lambda x: penalized(x)[0],
                lambda x: penalized(x)[1],
                at,
                along,
                gradient,
                loss,
                before,
                c2=0.9,
            )
        return None if found[0] is None else float(found[0])

    def _remember(self, step: Array, change: Array) -> None:
        curvature = step @ change
        if curvature > _LEAST_CURVATURE * np.linalg.norm(step) * np.linalg.norm(change):
            self._steps = np.vstack([self._steps, step])[-self._memory :]
            self._changes = np.vstack([self._changes, change])[-self._memory :]

    def state(self) -> dict[str, Array]:
        """Return the pairs that are remembered, and the loss before."""
        before = np.array([] if self._before is None else [self._before])
        return {'steps': self._steps.copy(), 'changes': self._changes.copy(), 'before': before}

    def restore(self, state: dict[str, Array]) -> None:
        """Remember what `state` returned."""
        self._steps, self._changes = state['steps'], state['changes']
        self._before = float(state['before'][0]) if state['before'].size else None


class _Penalized:
    """Loss and gradient with the weight decay, evaluated once at each point."""

    def __init__(self, objective: Objective, everything: Array):
        self._objective = objective
        self._everything = everything
        self._at: Array | None = None

    def __call__(self, at: Array) -> tuple[float, Array]:
        """Return loss and gradient."""
        if self._at is None or not np.array_equal(at, self._at):
            self._objective.parameters.values[:] = at
            (self.found,) = self._objective.windows(self._everything)
            decay = 0.5 * self._objective.weight_decay * float(at @ at)
            self._loss = self.found.squares / self.found.number + decay
            self._at = at.copy()
        return self._loss, self.found.gradient
