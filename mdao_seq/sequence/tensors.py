"""From named signals to the tensors of a network, and back."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.errors import InputError
from mdao_seq.sequence.signal import Signal


def packed(
    what: str,
    sequences: Sequence[Signal],
    statics: Sequence[Signal],
    values: Mapping[str, ArrayLike],
) -> Array:
    """Return named values as one tensor, static ones repeated over time.

    Parameters
    ----------
    what : str
        What they are, for the message of an error.
    sequences, statics : sequence of Signal
        Which values there must be, in this order.
    values : mapping
        ``(batch_size, seq_len)`` of each sequence, ``(batch_size,)`` of each static.

    Returns
    -------
    ndarray (batch_size, seq_len, len(sequences) + len(statics))
        Float, or complex if a value is.

    Raises
    ------
    InputError
        For a missing or an extra name, a wrong shape, or a value that is not finite.
    """
    _check_names(what, [signal.name for signal in (*sequences, *statics)], values)
    first = sequences[0].name
    shape = np.shape(values[first])
    if len(shape) != 2 or 0 in shape:
        raise InputError(
            f'{what} {first!r} has shape {shape}; it must be (batch_size, seq_len)'
            + (': for a single sequence pass it as value[np.newaxis, :]' if len(shape) == 1 else '')
        )
    columns = []
    for signal in sequences:
        columns.append(_checked(what, signal.name, values[signal.name], shape, first))
    for signal in statics:
        value = _checked(what, signal.name, values[signal.name], shape[:1], first)
        columns.append(np.broadcast_to(value[:, np.newaxis], shape))
    return np.stack(columns, axis=-1)


def unpacked(signals: Sequence[Signal], tensor: Array) -> dict[str, Array]:
    """Return ``(batch_size, seq_len)`` of each signal, which stand along the last axis."""
    return {
        signal.name: np.ascontiguousarray(tensor[..., column])
        for column, signal in enumerate(signals)
    }


def check_state(state: Arrays, cell: Cell, shape: tuple[int, ...]) -> None:
    """Raise an InputError if a state is not one of a cell, each array of this shape."""
    if len(state) != cell.num_states or any(each.shape != shape for each in state):
        raise InputError(
            f'state has {len(state)} array(s) of shape {[np.shape(each) for each in state]}; a '
            f'{cell.name} has {cell.num_states} of (num_layers, batch_size, hidden_size) = {shape}'
        )


def checked_lengths(lengths: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return the lengths of sequences as int64.

    Parameters
    ----------
    lengths : array_like of int (batch_size,)
        As they were given.
    shape : (int, int)
        batch_size and seq_len, within which they must be.

    Raises
    ------
    InputError
        If they are not; it names the sequence.
    """
    batch_size, seq_len = shape
    given = np.asarray(lengths)
    if given.shape != (batch_size,) or not np.issubdtype(given.dtype, np.integer):
        raise InputError(
            f'lengths are {given.dtype} of shape {given.shape}; they must be integers of shape '
            f'(batch_size,) = ({batch_size},)'
        )
    if given.min() < 1 or given.max() > seq_len:
        lane = int(np.argmax((given < 1) | (given > seq_len)))
        raise InputError(
            f'lengths[{lane}] = {given[lane]}: must be within 1 and seq_len = {seq_len}'
        )
    return given.astype(np.int64)


def check_finite(what: str, array: Array) -> None:
    """Raise an InputError that names the first entry that is not finite, if there is one."""
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(int(at) for at in np.argwhere(~finite)[0])
        raise InputError(
            f'{what}{list(place)} = {array[place]}: must be finite; look at what sets it'
        )


def checked_steps(
    steps: Iterable[int] | str | None, batch_size: int, seq_len: int, lengths: Array | None
) -> Array | None:
    """Return the time steps that are chosen of each sequence.

    Parameters
    ----------
    steps : iterable of int, 'last' or None
        As they were given; negative ones count from `seq_len`. 'last': the last of each sequence.
    batch_size, seq_len : int
        Sequences, and time steps.
    lengths : ndarray of int (batch_size,) or None
        Time steps of each sequence. None: all have `seq_len`.

    Returns
    -------
    ndarray of int (batch_size, number), or None for all
        In the order given.

    Raises
    ------
    InputError
        If there are none, one is out of range, or one is there twice.
    """
    if steps is None:
        return None
    if isinstance(steps, str):
        if steps != 'last':
            raise InputError(f"output steps {steps!r}: must be 'last', or integers")
        ends = np.full(batch_size, seq_len) if lengths is None else lengths
        return (ends - 1)[:, np.newaxis]
    given = np.asarray(list(steps))
    if not given.size or not np.issubdtype(given.dtype, np.integer):
        raise InputError(f"output steps {list(steps)}: must be 'last', or at least one integer")
    outside = given[(given < -seq_len) | (given >= seq_len)]
    if outside.size:
        raise InputError(
            f'output step {outside[0]}: must be within 0 and seq_len - 1 = {seq_len - 1}'
        )
    chosen = given % seq_len
    if len(set(chosen.tolist())) < chosen.size:
        raise InputError(f'output steps {given.tolist()}: one is there twice')
    return np.tile(chosen, (batch_size, 1))


def check_num_steps(num_steps: int) -> None:
    """Raise a ValueError unless it is an integer of at least 1."""
    if not isinstance(num_steps, Integral) or num_steps < 1:
        raise ValueError(f'num_steps = {num_steps!r}: must be an integer of at least 1, or None')


def _check_names(what: str, expected: list[str], values: Mapping[str, ArrayLike]) -> None:
    if not isinstance(values, Mapping):
        raise InputError(
            f'{what} values are a {type(values).__name__}; they must be a dict of arrays by name: '
            f'{", ".join(expected)}'
        )
    missing = [name for name in expected if name not in values]
    extra = [name for name in values if name not in expected]
    if missing or extra:
        faults = [f'missing {", ".join(map(repr, missing))}'] if missing else []
        faults += [f'unknown {", ".join(map(repr, extra))}'] if extra else []
        raise InputError(f'{what}: {"; ".join(faults)}; the model has {", ".join(expected)}')


def _checked(what: str, name: str, value: ArrayLike, shape: tuple[int, ...], first: str) -> Array:
    array = np.asarray(value)
    if not np.iscomplexobj(array):
        array = np.asarray(array, dtype=float)
    if array.shape != shape:
        expected = '(batch_size, seq_len)' if len(shape) == 2 else '(batch_size,)'
        raise InputError(
            f'{what} {name!r} has shape {array.shape}; it must be {expected} = {shape}, '
            f'to go with {first!r}'
        )
    check_finite(f'{what} {name!r}', array)
    return array
