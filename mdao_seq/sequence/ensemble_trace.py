"""Several networks run once: mean and spread of their outputs, and the derivatives of both."""

from collections.abc import Sequence

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays
from mdao_seq.sequence.jacobian.causal import Key
from mdao_seq.sequence.jacobian.causality import Causality
from mdao_seq.sequence.sensitivities import Sensitivities
from mdao_seq.sequence.trace import Change, Trace


class EnsembleTrace:
    """Runs of several networks, as one.

    Parameters
    ----------
    traces : sequence of Trace
        Of each network.

    Attributes
    ----------
    traces : sequence of Trace
        As passed.
    outputs : ndarray (batch_size, seq_len, 2 * output_size)
        Means, then standard deviations.
    """

    def __init__(self, traces: Sequence[Trace]):
        self.traces = traces
        of_each = np.stack([trace.outputs for trace in traces])
        mean = of_each.mean(axis=0)
        differences = of_each - mean
        spread = np.sqrt((differences * differences).sum(axis=0) / (len(traces) - 1))
        # d(spread) is the sum of these times d(y_m); the mean's change drops out.
        divisor = np.where(spread == 0.0, 1.0, spread) * (len(traces) - 1)
        self._by_output = differences / divisor
        self.outputs = np.concatenate([mean, spread], axis=-1)

    @property
    def final_state(self) -> Arrays:
        """States after the last time step, the networks' behind one another."""
        return _behind([trace.final_state for trace in self.traces])

    def jvp(self, d_x: Array, d_state: Arrays | None = None, d_weights: None = None) -> Change:
        """Return the change of the outputs and of the final state; see `Trace.jvp`."""
        parts = self._parted(d_state)
        changes = [trace.jvp(d_x, part) for trace, part in zip(self.traces, parts, strict=True)]
        of_each = np.stack([change.outputs for change in changes])
        d_spread = (self._by_output * of_each).sum(axis=0)
        finals = [each for change in changes for each in change.finals]
        return Change(np.concatenate([of_each.mean(axis=0), d_spread], axis=-1), finals)

    def vjp(
        self, y_bar: Array, final_bar: Arrays | None = None, with_weights: bool = False
    ) -> 'EnsembleSensitivities':
        """Sweep back through all networks; see `Trace.vjp`."""
        mean_bar, spread_bar = np.split(y_bar, 2, axis=-1)
        parts = self._parted(final_bar)
        return EnsembleSensitivities(
            [
                trace.vjp(mean_bar / len(self.traces) + by_output * spread_bar, part, False)
                for trace, by_output, part in zip(self.traces, self._by_output, parts, strict=True)
            ]
        )

    def jacobian(
        self, causality: Causality, num_static: int = 0, with_final: bool = False
    ) -> dict[Key, Array]:
        """Return the derivatives of the outputs by the inputs; see `Trace.jacobian`.

        Raises
        ------
        ValueError
            With final states: each depends on one network only, which a pattern has no place for.
        """
        if with_final:
            raise ValueError('an ensemble has no entries for final states; take vjp or jvp')
        size = self.outputs.shape[-1] // 2
        rows = {'input': causality.output_by_input()[0], 'static': causality.output_by_static()[0]}
        found: dict[Key, Array] = {}
        for trace, by_output in zip(self.traces, self._by_output, strict=True):
            for (of, number, by, wrt), entries in trace.jacobian(causality, num_static).items():
                if by == 'state':
                    continue
                static = wrt >= len(trace.input_scale) - num_static
                factors = causality.at_outputs(by_output[..., number])
                of_entries = factors[rows['static' if static else 'input']]
                for key, part in (
                    ((of, number, by, wrt), entries / len(self.traces)),
                    ((of, size + number, by, wrt), entries * of_entries),
                ):
                    found[key] = found[key] + part if key in found else part
        return found

    def _parted(self, state: Arrays | None) -> list[Arrays | None]:
        if state is None:
            return [None] * len(self.traces)
        split = [np.split(each, len(self.traces)) for each in state]
        return [tuple(part) for part in zip(*split, strict=True)]


class EnsembleSensitivities:
    """What sweeps back through several networks found.

    Parameters
    ----------
    found : sequence of Sensitivities
        In each network.
    """

    def __init__(self, found: Sequence[Sensitivities]):
        self._found = found

    def inputs(self) -> Array:
        """Return those to the inputs, (batch_size, seq_len, input_size)."""
        return np.sum([each.inputs() for each in self._found], axis=0)

    def initial_state(self) -> Arrays:
        """Return those to the states before the first step, the networks' behind one another."""
        return _behind([each.initial_state() for each in self._found])


def _behind(states: Sequence[Arrays]) -> Arrays:
    return tuple(np.concatenate(kind) for kind in zip(*states, strict=True))
