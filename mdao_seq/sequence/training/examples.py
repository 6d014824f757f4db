"""The sequences that a network is trained on, and which of their time steps count."""

from typing import NamedTuple

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.errors import InputError


class Examples(NamedTuple):
    """Sequences of inputs with the outputs that belong to them.

    Attributes
    ----------
    x : ndarray (batch_size, seq_len, input_size)
        Inputs.
    y : ndarray (batch_size, seq_len, output_size)
        Outputs.
    lengths : ndarray of int (batch_size,) or None
        Time steps of each sequence. None: all have `seq_len`.
    counted : ndarray of bool (batch_size, seq_len) or None
        Whether a time step counts in the loss. None: all do.
    """

    x: Array
    y: Array
    lengths: Array | None = None
    counted: Array | None = None

    def part(self, sequences: Array, steps: slice) -> 'Examples':
        """Return some sequences in a window of time.

        Those that have ended before it make one step that does not count.
        """
        x = self.x[sequences, steps]
        lengths = None
        if self.lengths is not None:
            start = steps.start or 0
            lengths = np.clip(self.lengths[sequences] - start, 1, x.shape[1])
        counted = None if self.counted is None else self.counted[sequences, steps]
        return Examples(x, self.y[sequences, steps], lengths, counted)

    def seen(self) -> tuple[Array, Array]:
        """Return the inputs and the outputs of all time steps before the sequences' ends."""
        if self.lengths is None:
            return self.x, self.y
        within = np.arange(self.x.shape[1]) < self.lengths[:, np.newaxis]
        return self.x[within][np.newaxis], self.y[within][np.newaxis]


def split(
    rng: np.random.Generator, examples: Examples, fraction: float, washout: int
) -> tuple[Examples, Examples | None]:
    """Hold some examples back for validation.

    Of several sequences some are held back whole. Of a single one its last part is: the network is
    then run over all of it, and its outputs in that part are compared.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses the sequences.
    examples : Examples
        All; `counted` is not used.
    fraction : float
        Fraction that is held back. 0: nothing.
    washout : int
        First time steps of each sequence that do not count.

    Returns
    -------
    training : Examples
        What to train on.
    validation : Examples or None
        What to validate on; None: nothing.

    Raises
    ------
    InputError
        If nothing is left that counts.
    """
    number, seq_len = examples.x.shape[:2]
    order = rng.permutation(number)
    if not fraction:
        return _counting(examples, washout, seq_len), None
    if number == 1:
        total = seq_len if examples.lengths is None else int(examples.lengths[0])
        first = total - max(1, round(fraction * total))
        some = Examples(examples.x[:, :first], examples.y[:, :first])
        whole = Examples(examples.x[:, :total], examples.y[:, :total])
        return _counting(some, washout, first), _counting(whole, max(first, washout), total)
    held_back = max(1, round(fraction * number))
    if held_back >= number:
        raise InputError(
            f'validation_fraction = {fraction} of {number} sequence(s) leaves none to train on; '
            'pass more sequences, or validation_fraction=0'
        )
    everything = slice(None)
    return (
        _counting(examples.part(order[held_back:], everything), washout, seq_len),
        _counting(examples.part(order[:held_back], everything), washout, seq_len),
    )


def _counting(examples: Examples, washout: int, seq_len: int) -> Examples:
    """Return examples of which the steps from `washout` to their ends count."""
    if not washout and examples.lengths is None:
        return examples
    ends = np.full(len(examples.x), seq_len) if examples.lengths is None else examples.lengths
    steps = np.arange(examples.x.shape[1])
    counted = (steps >= washout) & (steps < ends[:, np.newaxis])
    if not counted.any():
        raise InputError(
            f'washout = {washout} leaves no time step of {len(examples.x)} sequence(s) of at most '
            f'{ends.max()} steps to train or to validate on'
        )
    return examples._replace(counted=counted)
