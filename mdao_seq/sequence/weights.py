"""Names, shapes and initial values of a network's weights."""

from collections.abc import Mapping

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.layer import LayerWeights

# Names of the learned states before the first step, in the order of a cell's states.
INITIAL_STATES = ('h0', 'c0')


def weight_shapes(
    cell: Cell,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    output_size: int,
    *,
    bias: bool,
    feedthrough: bool,
    learned_states: bool,
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by its name.

    The names are those of ``torch.nn.LSTM`` (``weight_ih_l0``, …), ``head_weight``, ``head_bias``
    and ``head_feedthrough`` for the linear head, and ``h0`` and ``c0`` for learned initial states.

    Parameters
    ----------
    cell : Cell
        Cell of every layer.
    input_size, hidden_size, num_layers, output_size : int
        Of the network.
    bias : bool
        Whether the recurrent layers have biases. The head always has one.
    feedthrough : bool
        Whether the head sees the inputs, too.
    learned_states : bool
        Whether the states before the first step are weights.

    Returns
    -------
    dict
        Shapes by name.
    """
    rows = cell.num_gates * hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(num_layers):
        shapes[f'weight_ih_l{layer}'] = (rows, hidden_size if layer else input_size)
        shapes[f'weight_hh_l{layer}'] = (rows, hidden_size)
        if bias:
            shapes[f'bias_ih_l{layer}'] = (rows,)
            shapes[f'bias_hh_l{layer}'] = (rows,)
    shapes['head_weight'] = (output_size, hidden_size)
    shapes['head_bias'] = (output_size,)
    if feedthrough:
        shapes['head_feedthrough'] = (output_size, input_size)
    if learned_states:
        for name in INITIAL_STATES[: cell.num_states]:
            shapes[name] = (num_layers, hidden_size)
    return shapes


def initial_weights(
    shapes: Mapping[str, tuple[int, ...]],
    cell: Cell,
    hidden_size: int,
    seed: int,
    time_scale: float | None = None,
) -> dict[str, Array]:
    """Draw weights uniformly from ±1/sqrt(hidden_size), as PyTorch does for layers and head.

    Learned initial states start from zero.

    Parameters
    ----------
    shapes : mapping
        Of each weight by name.
    cell : Cell
        Cell of every layer.
    hidden_size, seed : int
        Of the network, and of the random numbers.
    time_scale : float or None
        Time steps over which the slowest units remember at the start. The biases of the gates that
        say how long are ±log(u - 1), u uniform in 2 to `time_scale`, so that a unit forgets a
        part 1/u in each step (Tallec and Ollivier, arXiv 1804.11188, equation 16). None: as
        PyTorch.

    Returns
    -------
    dict
        Arrays by name.

    Raises
    ------
    ValueError
        For a time scale of at most 2, or where there are no gates or no biases for it.
    """
    rng = np.random.default_rng(seed)
    bound = 1.0 / np.sqrt(hidden_size)
    weights = {
        name: np.zeros(shape) if name in INITIAL_STATES else rng.uniform(-bound, bound, shape)
        for name, shape in shapes.items()
    }
    if time_scale is None:
        return weights
    if not time_scale > 2.0:
        raise ValueError(f'time_scale = {time_scale}: must be more than 2 time steps')
    if not cell.memory_gates or 'bias_hh_l0' not in shapes:
        raise ValueError(
            f'time_scale = {time_scale}: a {cell.name} cell'
            f'{"" if cell.memory_gates else " has no gates that remember"}'
            f'{"" if "bias_hh_l0" in shapes else " without biases has nothing to set it by"}'
        )
    for name in (name for name in shapes if name.startswith('bias_hh_l')):
        opened = np.log(rng.uniform(2.0, time_scale, hidden_size) - 1.0)
        for gate, sign in cell.memory_gates.items():
            rows = slice(gate * hidden_size, (gate + 1) * hidden_size)
            weights[name][rows] = sign * opened
            weights[name.replace('_hh_', '_ih_')][rows] = 0.0
    return weights


def layer_weights(weights: Mapping[str, Array], layer: int) -> LayerWeights:
    """Return the weights of one layer, of those of a network."""
    return LayerWeights(
        weights[f'weight_ih_l{layer}'],
        weights[f'weight_hh_l{layer}'],
        weights.get(f'bias_ih_l{layer}'),
        weights.get(f'bias_hh_l{layer}'),
    )


def learned_state(weights: Mapping[str, Array], batch_size: int) -> Arrays | None:
    """Return the learned states before the first step of each sequence, if there are any.

    Parameters
    ----------
    weights : mapping
        Of a network; ``h0`` and ``c0`` of them are (num_layers, hidden_size).
    batch_size : int
        Sequences.

    Returns
    -------
    tuple of ndarray (num_layers, batch_size, hidden_size), or None
    """
    learned = [weights[name] for name in INITIAL_STATES if name in weights]
    shapes = [(each.shape[0], batch_size, each.shape[1]) for each in learned]
    return (
        tuple(
            np.broadcast_to(each[:, np.newaxis], shape)
            for each, shape in zip(learned, shapes, strict=True)
        )
        or None
    )


def checked_weights(
    shapes: Mapping[str, tuple[int, ...]], given: Mapping[str, Array]
) -> dict[str, Array]:
    """Return read-only float64 copies of `given`, in the order of `shapes`.

    Parameters
    ----------
    shapes : mapping
        Shape of each weight by name.
    given : mapping
        Arrays by name.

    Returns
    -------
    dict
        Copies by name.

    Raises
    ------
    ValueError
        For a missing or an extra name, a wrong shape, or a value that is not finite.
    """
    missing = [name for name in shapes if name not in given]
    extra = [name for name in given if name not in shapes]
    if missing or extra:
        raise ValueError(f'weights: missing {missing}, not of this network {extra}')
    checked = {}
    for name, shape in shapes.items():
        value = np.array(given[name], dtype=float)
        if value.shape != shape:
            raise ValueError(f'weight {name!r} has shape {value.shape}; the network needs {shape}')
        wrong = np.argwhere(~np.isfinite(value))
        if wrong.size:
            place = tuple(int(at) for at in wrong[0])
            raise ValueError(f'weight {name!r}{list(place)} = {value[place]}: must be finite')
        value.setflags(write=False)
        checked[name] = value
    return checked
