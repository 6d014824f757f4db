"""Networks read from ONNX graphs.

Behind the recurrent nodes stands a linear head: ``Gemm``, or ``MatMul`` and ``Add``. Exporters put
transpositions, reshapes and zeros for the initial states between them. What these mean is not
guessed: a network that was read is compared with the graph, run by onnx's reference evaluator.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.exchange.onnx_nodes import CELLS, FROM_ONNX, import_onnx
from mdao_seq.sequence.exchange.weights_alone import reordered

_ACTIVATIONS = {
    'LSTM': [['Sigmoid', 'Tanh', 'Tanh']],
    'GRU': [['Sigmoid', 'Tanh']],
    'RNN': [['Tanh'], ['Relu']],
}
# Single precision over some time steps.
_AGREEMENT = 1e-3


class Read(NamedTuple):
    """A network as it stands in a graph.

    Attributes
    ----------
    cell, nonlinearity : str
        Of the layers.
    weights : dict of str to ndarray
        By the names that a `SequenceModel` has.
    """

    cell: str
    nonlinearity: str
    weights: dict[str, Array]


def read_graph(given: Any) -> Read:
    """Find a network in an ONNX model.

    Parameters
    ----------
    given : onnx.ModelProto, bytes, str or path-like
        The model, or its file.

    Raises
    ------
    ImportError
        Without the package onnx.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such network; the message names the node.
    """
    graph = _loaded(given).graph
    constants = _constants(graph)
    kinds: set[tuple[str, str]] = set()
    weights: dict[str, Array] = {}
    number = 0
    for node in graph.node:
        if node.op_type in CELLS:
            cell, nonlinearity = _checked(node)
            kinds.add((cell, nonlinearity))
            weights |= _of_layer(cell, node, constants, number)
            number += 1
    if len(kinds) != 1:
        raise ValueError(
            f'ONNX graph {graph.name!r}: recurrent nodes of one kind are needed; there are '
            f'{sorted(kinds) or "none"}'
        )
    weights |= _head(graph, constants)
    ((cell, nonlinearity),) = kinds
    return Read(cell, nonlinearity, weights)


def check_agreement(given: Any, model: Any) -> None:
    """Raise a ValueError unless a graph gives what a network does, at some random inputs.

    Parameters
    ----------
    given : onnx.ModelProto, bytes, str or path-like
        The graph.
    model : Network
        What was read from it.
    """
    from onnx.reference import ReferenceEvaluator

    proto = _loaded(given)
    if model.nonlinearity == 'relu':
        # The evaluator knows tanh only; what stands around the nodes can be compared by it as well.
        proto, model = _with_tanh(proto), _twin_with_tanh(model)
    taken = [each for each in proto.graph.input if each.name not in _initializers(proto.graph)]
    (size_0, size_1, _), dtype = _shape(taken[0]), _dtype(taken[0])
    first, second = size_0 or 2, size_1 or 3
    x = np.random.default_rng(0).standard_normal((first, second, model.input_size))
    feeds = {taken[0].name: x.astype(dtype)}
    for state in taken[1:]:
        shape = [size or 1 for size in _shape(state)]
        feeds[state.name] = np.zeros(shape, _dtype(state))
    theirs = np.asarray(ReferenceEvaluator(proto).run(None, feeds)[0], dtype=float)
    batch_first = model.forward(x).outputs
    time_first = model.forward(np.swapaxes(x, 0, 1)).outputs.swapaxes(0, 1)
    for ours in (batch_first, time_first, batch_first[:, -1], time_first[-1]):
        if ours.shape == theirs.shape or ours.size == theirs.size:
            scale = max(1.0, float(np.abs(theirs).max()))
            if np.abs(ours.ravel() - theirs.ravel()).max() <= _AGREEMENT * scale:
                return
    raise ValueError(
        f'ONNX graph {proto.graph.name!r}: it has more to it than recurrent nodes and a linear '
        'head: what it gives differs from what these give alone; export these only'
    )


def _with_tanh(proto: Any) -> Any:
    twin = type(proto)()
    twin.CopyFrom(proto)
    for node in twin.graph.node:
        for attribute in node.attribute:
            if node.op_type == 'RNN' and attribute.name == 'activations':
                attribute.strings[:] = [b'Tanh']
    return twin


def _twin_with_tanh(model: Any) -> Any:
    twin = type(model)(
        model.inputs,
        model.outputs,
        model.static_inputs,
        cell=model.cell,
        hidden_size=model.hidden_size,
        num_layers=model.num_layers,
        bias=model.bias,
    )
    twin.weights = model.weights
    return twin


def _loaded(given: Any) -> Any:
    onnx = import_onnx()
    if isinstance(given, onnx.ModelProto):
        return given
    try:
        if isinstance(given, bytes):
            return onnx.load_model_from_string(given)
        return onnx.load_model(os.fspath(given))
    except FileNotFoundError:
        raise FileNotFoundError(f'{given}: no such file') from None
    except Exception as error:
        # The reader's own errors are of classes that depend on the version of protobuf.
        what = 'the bytes' if isinstance(given, bytes) else given
        raise ValueError(f'{what}: damaged, or no ONNX model ({error})') from error


def _initializers(graph: Any) -> dict[str, Array]:
    from onnx import numpy_helper

    return {each.name: numpy_helper.to_array(each) for each in graph.initializer}


def _constants(graph: Any) -> dict[str, Array]:
    """Return all values of a graph that depend on no input, by name."""
    from onnx.reference import ReferenceEvaluator

    constants = _initializers(graph)
    for node in graph.node:
        if node.op_type in CELLS or not all(not name or name in constants for name in node.input):
            continue
        feeds = {name: constants[name] for name in node.input if name}
        for name, value in zip(
            node.output, ReferenceEvaluator(node).run(None, feeds), strict=False
        ):
            constants[name] = value
    return constants


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _checked(node: Any) -> tuple[str, str]:
    """Return cell and nonlinearity of a recurrent node."""
    attributes = _attributes(node)
    what = f'ONNX node {node.name!r} ({node.op_type})'
    needed = {'direction': b'forward', 'layout': 0, 'input_forget': 0, 'clip': None}
    if node.op_type == 'GRU':
        needed['linear_before_reset'] = 1
    for name, value in needed.items():
        default = 0 if name == 'linear_before_reset' else value
        if attributes.get(name, default) != value:
            raise ValueError(
                f'{what} has {name}={attributes.get(name, default)!r}; only {value!r} is offered'
            )
    offered = _ACTIVATIONS[node.op_type]
    activations = [each.decode() for each in attributes.get('activations', [])] or offered[0]
    if activations not in offered:
        raise ValueError(f'{what} has activations={activations}; offered are {offered}')
    if len(node.input) > 7 and node.input[7]:
        raise ValueError(f'{what} has peepholes; SequenceModel has none')
    return CELLS[node.op_type], 'relu' if activations == ['Relu'] else 'tanh'


def _of_layer(
    cell: str, node: Any, constants: Mapping[str, Array], number: int
) -> dict[str, Array]:
    names = list(node.input)
    missing = [name for name in names[1:4] if name and name not in constants]
    if missing:
        raise ValueError(
            f'ONNX node {node.name!r} ({node.op_type}): its weights {missing[0]!r} depend on the '
            'inputs of the graph; SequenceModel has weights that do not'
        )
    order = FROM_ONNX[cell]

    def of(name: str) -> Array:
        return np.asarray(constants[name][0], dtype=float)

    found = {
        f'weight_ih_l{number}': reordered(of(names[1]), order),
        f'weight_hh_l{number}': reordered(of(names[2]), order),
    }
    if len(names) > 3 and names[3]:
        biases = np.split(of(names[3]), 2)
        for kind, bias in zip(('bias_ih', 'bias_hh'), biases, strict=True):
            found[f'{kind}_l{number}'] = reordered(bias, order)
    return found


def _head(graph: Any, constants: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights of the linear head: the last product of the graph, and what is added."""
    weight = bias = None
    for node in graph.node:
        known = [name for name in node.input if name in constants]
        if node.output[0] in constants or not known:
            continue
        if node.op_type == 'Gemm':
            attributes = _attributes(node)
            weight = constants[node.input[1]] * attributes.get('alpha', 1.0)
            weight = weight if attributes.get('transB', 0) else weight.T
            bias = constants[node.input[2]] * attributes.get('beta', 1.0)
        elif node.op_type == 'MatMul':
            weight, bias = constants[known[0]].T, None
        elif node.op_type == 'Add' and weight is not None and bias is None:
            bias = constants[known[0]]
    if weight is None or bias is None:
        raise ValueError(
            f'ONNX graph {graph.name!r}: a linear head with a bias is needed behind the recurrent '
            'nodes: Gemm, or MatMul and Add'
        )
    return {
        'head_weight': np.asarray(weight, dtype=float),
        'head_bias': np.asarray(bias, dtype=float).ravel(),
    }


def _shape(value: Any) -> list[int]:
    """Return the sizes of an input; 0 where they are not fixed."""
    return [each.dim_value for each in value.type.tensor_type.shape.dim]


def _dtype(value: Any) -> np.dtype:
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
