"""The whole Jacobian of a run, its causal entries only.

Time is cut into blocks (see `block_sweep`). What a block's outputs depend on within it comes from
the sweep. On what came before it they depend through the states alone: with L their derivatives by
the states before the block, and M those of these states by all earlier inputs, it is the product
L M, of a rank of at most the number of states. From block to block M becomes [Phi M, R], with Phi
and R the derivatives of a block's last states by its first and by its inputs (see `block_chain`).
One block for all time is the direct accumulation; the length is chosen by what it costs.
"""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.jacobian.block_chain import BlockChain
from mdao_seq.sequence.jacobian.block_length import cheapest_length
from mdao_seq.sequence.jacobian.block_sweep import BlockSweep
from mdao_seq.sequence.jacobian.causality import Causality, Moment
from mdao_seq.sequence.linear_steps import LinearSteps
from mdao_seq.sequence.threads import one_blas_thread

if TYPE_CHECKING:
    from mdao_seq.sequence.trace import Trace

# An output or a final state, by its number, and the input or the state that it is derived by.
Key = tuple[str, int, str, int]

# Memory of the sensitivities to gates in one sweep: what stays in a processor's cache is fastest.
_SWEEP_BYTES = 2**24


@one_blas_thread()
def causal_jacobian(
    trace: 'Trace',
    causality: Causality,
    num_static: int = 0,
    with_final: bool = False,
    block_length: int | None = None,
) -> dict[Key, Array]:
    """Return derivatives by inputs and by the states before the first step.

    Parameters
    ----------
    trace : Trace
        The run.
    causality : Causality
        Which entries there are, of outputs at which time steps.
    num_static : int
        The last so many inputs are constant over time.
    with_final : bool
        Whether those of the final states are wanted, too.
    block_length : int or None
        Time steps of a block. None: by what it costs.

    Returns
    -------
    dict of Key to ndarray (entries,)
        ``('output' or 'final', number, 'input' or 'state', number)``: entries in the order of the
        coordinates that `causality` gives for them, in the units of the signals.
    """
    steps = LinearSteps.of(trace.layers)
    if block_length is None:
        block_length = cheapest_length(steps, causality, len(trace.head.weight), with_final)
    filling = _Filling(trace, steps, causality, num_static, with_final, block_length)
    for lanes in filling.chunks():
        filling.fill(lanes)
    return {key: room.values for key, room in filling.rooms.items()}


class _Room:
    """Room for the entries of one partial: one stretch of memory for each moment.

    Parameters
    ----------
    moments : list of Moment
        When they arise.
    shapes : list of tuple of int
        Entries of each sequence at each moment.
    dtype : numpy.dtype
        Of the entries.
    """

    def __init__(self, moments: list[Moment], shapes: Sequence[tuple[int, ...]], dtype: np.dtype):
        sizes = [len(at.lanes) * prod(shape) for at, shape in zip(moments, shapes, strict=True)]
        self.values = np.empty(sum(sizes), dtype)
        ends = np.cumsum(sizes)
        self.at = [
            self.values[end - size : end].reshape(len(at.lanes), *shape)
            for at, shape, size, end in zip(moments, shapes, sizes, ends, strict=True)
        ]


class _Filling:
    """The entries of a Jacobian, filled in for some sequences after the other."""

    def __init__(
        self,
        trace: 'Trace',
        steps: LinearSteps,
        causality: Causality,
        num_static: int,
        with_final: bool,
        block_length: int,
    ):
        self._steps = steps
        self._causality = causality
        self._length = block_length
        self._blocks = -(-steps.seq_len // block_length)
        self._with_final = with_final
        self._head = trace.head.weight * trace.output_scale[:, np.newaxis]
        self._input_scale = trace.input_scale
        self._direct = None
        if trace.head.feedthrough is not None:
            scaled = trace.head.feedthrough * trace.output_scale[:, np.newaxis]
            self._direct = scaled / trace.input_scale
        self._num_sequences = len(trace.input_scale) - num_static
        self._within = sorted({at.t % block_length for at in causality.outputs})
        self._in_block: list[list[int]] = [[] for _ in range(self._blocks)]
        for number, at in enumerate(causality.outputs):
            self._in_block[at.t // block_length].append(number)
        # The earliest inputs that final states are derived by.
        self._kept = min(at.first for at in causality.final) if with_final else steps.seq_len
        self.rooms = self._make_rooms()

    def _make_rooms(self) -> dict[Key, _Room]:
        dtype, inputs, kinds = self._steps.dtype, len(self._input_scale), self._steps.num_states
        states = self._steps.num_layers * self._steps.hidden_size
        rooms: dict[Key, _Room] = {}
        finals = kinds if self._with_final else 0
        shape: tuple[int, ...]
        for kind, number, moments, shape in (
            ('output', len(self._head), self._causality.outputs, ()),
            ('final', finals, self._causality.final, (states,)),
        ):
            by_input = [(*shape, at.num_inputs) for at in moments]
            by_state = [(*shape, states) if at.from_start else (0,) for at in moments]
            for of in range(number):
                for wrt in range(inputs):
                    static = wrt >= self._num_sequences
                    shapes = [shape] * len(moments) if static else by_input
                    rooms[kind, of, 'input', wrt] = _Room(moments, shapes, dtype)
                for wrt in range(kinds):
                    rooms[kind, of, 'state', wrt] = _Room(moments, by_state, dtype)
        return rooms

    def chunks(self) -> list[slice]:
        """Return which sequences go through a sweep together."""
        steps = self._steps
        states = steps.num_layers * steps.num_states * steps.hidden_size
        rows = states + len(self._head) * len(self._within)
        a_lane = 8 * self._blocks * rows * steps.num_gates * steps.hidden_size
        number = max(1, _SWEEP_BYTES // a_lane)
        return [
            slice(k, min(k + number, steps.batch_size)) for k in range(0, steps.batch_size, number)
        ]

    def fill(self, lanes: slice) -> None:
        """Fill in what belongs to these sequences."""
        chain = BlockChain(self._sweep(lanes), self._steps.seq_len)
        for block in range(self._blocks):
            start = block * self._length
            first = max(0, start + 1 - self._causality.reach)
            before = chain.outputs_by_earlier(block, slice(first, start))
            by_start = chain.outputs_by_start(block)
            for number in self._in_block[block]:
                at = self._causality.outputs[number]
                of_lanes, own = _shared(at, lanes)
                row = chain.sweep.row(at.t - start)
                since = slice(max(at.first - start, 0), at.t + 1 - start)
                for of in range(len(self._head)):
                    parts = (
                        before[:, own, row + of, max(at.first - first, 0) :],
                        chain.sweep.by_input[row + of, block, own, :, since].swapaxes(0, 1),
                    )
                    self._put('output', of, number, of_lanes, parts)
                    if at.from_start:
                        self._put_states('output', of, number, of_lanes, by_start[own, row + of])
            if block + 1 < self._blocks or self._with_final:
                chain.go_past(block, slice(min(first, self._kept), start))
        if self._with_final:
            for number, at in enumerate(self._causality.final):
                of_lanes, own = _shared(at, lanes)
                earlier = chain.earlier[:, own, :, at.first : at.t + 1]
                for of, rows in enumerate(self._by_kind(np.arange(earlier.shape[2]))):
                    self._put('final', of, number, of_lanes, (earlier[:, :, rows],))
                    if at.from_start:
                        by_start = chain.by_start[own][:, rows]
                        self._put_states('final', of, number, of_lanes, by_start)

    def _sweep(self, lanes: slice) -> BlockSweep:
        sweep = BlockSweep(
            self._steps.in_blocks(self._length, lanes),
            lanes.stop - lanes.start,
            self._head,
            self._within,
            with_states=self._blocks > 1 or self._with_final,
        )
        sweep.by_input /= self._input_scale[:, np.newaxis]
        sweep.last_by_input /= self._input_scale[:, np.newaxis]
        if self._direct is not None:
            for t in self._within:
                rows = slice(sweep.row(t), sweep.row(t) + len(self._head))
                sweep.by_input[rows, ..., t] += self._direct[:, np.newaxis, np.newaxis]
        return sweep

    def _put(self, kind: str, of: int, number: int, lanes: slice, parts: tuple[Array, ...]) -> None:
        """Put derivatives, (inputs, lanes, …, time steps) each, one after the other."""
        for wrt in range(len(self._input_scale)):
            into = self.rooms[kind, of, 'input', wrt].at[number][lanes]
            if wrt >= self._num_sequences:
                into[...] = sum(part[wrt].sum(axis=-1) for part in parts)
                continue
            start = 0
            for part in parts:
                stop = start + part.shape[-1]
                into[..., start:stop] = part[wrt]
                start = stop

    def _put_states(self, kind: str, of: int, number: int, lanes: slice, by_start: Array) -> None:
        """Put derivatives by the states before the first step, (lanes, …, states)."""
        for wrt, columns in enumerate(self._by_kind(np.arange(by_start.shape[-1]))):
            self.rooms[kind, of, 'state', wrt].at[number][lanes] = by_start[..., columns]

    def _by_kind(self, states: Array) -> Array:
        """Return the numbers of all states, (kinds, num_layers * hidden_size)."""
        steps = self._steps
        by_layer = states.reshape(steps.num_layers, steps.num_states, steps.hidden_size)
        return by_layer.swapaxes(0, 1).reshape(steps.num_states, -1)


def _shared(at: Moment, lanes: slice) -> tuple[slice, slice | Array]:
    """Return which lanes of a moment are among these, and which of these that is."""
    start, stop = np.searchsorted(at.lanes, [lanes.start, lanes.stop])
    own = at.lanes[start:stop] - lanes.start
    everything = len(own) == lanes.stop - lanes.start
    return slice(start, stop), slice(None) if everything else own
