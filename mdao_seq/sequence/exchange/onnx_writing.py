"""Networks written as ONNX graphs."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from mdao_seq._files import replacing
from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.exchange.onnx_nodes import CELLS, TO_ONNX, import_onnx
from mdao_seq.sequence.exchange.weights_alone import reordered

# Opset 14 is what exporters of the last years write; it has all that is needed here.
_OPSET, _IR_VERSION = 14, 8


def to_graph(cell: str, nonlinearity: str, weights: Mapping[str, Array], dtype: str) -> Any:
    """Return a network, without normalisation, as an onnx.ModelProto.

    Its input ``x`` is (batch_size, seq_len, input_size), its output ``y`` (batch_size, seq_len,
    output_size).

    Parameters
    ----------
    cell, nonlinearity : str
        Of the layers.
    weights : mapping
        By the names that a `SequenceModel` has.
    dtype : {'float32', 'float64'}
        Of all tensors.
    """
    onnx = import_onnx()
    from onnx import helper, numpy_helper

    op_type = {ours: theirs for theirs, ours in CELLS.items()}[cell]
    hidden_size = weights['weight_hh_l0'].shape[1]
    tensors: dict[str, Array] = {'axis': np.array([1], dtype=np.int64)}
    nodes = [helper.make_node('Transpose', ['x'], ['h0'], perm=[1, 0, 2])]
    attributes: dict[str, Any] = {'hidden_size': hidden_size}
    if cell == 'gru':
        attributes['linear_before_reset'] = 1
    if nonlinearity == 'relu':
        attributes['activations'] = ['Relu']
    number = 0
    while f'weight_ih_l{number}' in weights:
        names = [f'h{number}', f'W{number}', f'R{number}']
        order = TO_ONNX[cell]
        for name, kind in zip(names[1:], ('weight_ih', 'weight_hh'), strict=True):
            tensors[name] = reordered(weights[f'{kind}_l{number}'], order)[np.newaxis]
        if f'bias_ih_l{number}' in weights:
            names.append(f'B{number}')
            biases = [
                reordered(weights[f'{kind}_l{number}'], order) for kind in ('bias_ih', 'bias_hh')
            ]
            tensors[names[-1]] = np.concatenate(biases)[np.newaxis]
        nodes.append(helper.make_node(op_type, names, [f'Y{number}'], f'rnn{number}', **attributes))
        number += 1
        nodes.append(helper.make_node('Squeeze', [f'Y{number - 1}', 'axis'], [f'h{number}']))
    tensors['head_weight'], tensors['head_bias'] = weights['head_weight'].T, weights['head_bias']
    nodes += [
        helper.make_node('MatMul', [f'h{number}', 'head_weight'], ['products']),
        helper.make_node('Add', ['products', 'head_bias'], ['over_time']),
        helper.make_node('Transpose', ['over_time'], ['y'], perm=[1, 0, 2]),
    ]
    kind = {'float32': onnx.TensorProto.FLOAT, 'float64': onnx.TensorProto.DOUBLE}[dtype]

    def values(name: str, size: int) -> Any:
        return helper.make_tensor_value_info(name, kind, ['batch_size', 'seq_len', size])

    graph = helper.make_graph(
        nodes,
        'sequence_model',
        [values('x', weights['weight_ih_l0'].shape[1])],
        [values('y', len(weights['head_bias']))],
        [
            numpy_helper.from_array(
                np.ascontiguousarray(tensor if tensor.dtype == np.int64 else tensor.astype(dtype)),
                name,
            )
            for name, tensor in tensors.items()
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid('', _OPSET)])
    proto.ir_version = _IR_VERSION
    onnx.checker.check_model(proto)
    return proto


def write_graph(proto: Any, path: str | os.PathLike[str]) -> None:
    """Write an onnx.ModelProto to a file; one that exists is replaced once the new one is whole."""
    with replacing(path) as scratch:
        scratch.write_bytes(proto.SerializeToString())
