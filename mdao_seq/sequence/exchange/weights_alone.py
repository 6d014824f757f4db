"""A network as weights alone, for tools that know no units and no normalisation."""

from typing import TYPE_CHECKING

import numpy as np

from mdao_seq.sequence.cells.cell import Array

if TYPE_CHECKING:
    from mdao_seq.sequence.network import Network


def weights_alone(model: 'Network', caller: str) -> dict[str, Array]:
    """Return a model's weights by name, the normalisation in them.

    Parameters
    ----------
    model : Network
        The model.
    caller : str
        Who asks, for the message of an error.

    Raises
    ------
    ValueError
        If inputs have means to subtract and the layers no biases to do it by, or the network has
        what others have not.
    """
    if model.feedthrough or model.initial_state == 'learned':
        raise ValueError(
            f'{caller}: feedthrough={model.feedthrough}, initial_state={model.initial_state!r}: '
            'recurrent layers with a linear head have neither a feed-through nor learned states'
        )
    weights = {name: np.array(value) for name, value in model.weights.items()}
    before, after = model.input_normalization, model.output_normalization
    if not model.bias and np.any(before.mean):
        raise ValueError(
            f'{caller}: the means of the inputs cannot become part of layers without biases; make '
            'the model with bias=True'
        )
    weights['weight_ih_l0'] /= before.scale
    if model.bias:
        weights['bias_ih_l0'] -= weights['weight_ih_l0'] @ before.mean
    weights['head_weight'] *= after.scale[:, np.newaxis]
    weights['head_bias'] = weights['head_bias'] * after.scale + after.mean
    return weights


def reordered(rows: Array, order: tuple[int, ...]) -> Array:
    """Return the blocks of rows of the gates in another order: the first is ``order[0]``, ….

    Parameters
    ----------
    rows : ndarray (num_gates * hidden_size, …)
        Weights or biases.
    order : tuple of int
        Which block comes first, second, ….
    """
    blocks = np.split(rows, len(order))
    return np.concatenate([blocks[k] for k in order])
