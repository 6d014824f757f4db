"""Networks from ONNX graphs and to them: onnx's evaluator, its runtime, PyTorch's exporter."""

import io

import numpy as np
import pytest

from mdao_seq import SequenceModel
from tests.sequence.networks import every_cell, small_model

onnx = pytest.importorskip('onnx', reason='the package onnx is not installed (pip install onnx)')
from onnx import helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

X = np.random.default_rng(0).standard_normal((2, 7, 3))
NAMES = ['a', 'b', 'c'], ['y', 'z']


@every_cell
@pytest.mark.parametrize('bias', [True, False])
def test_there_and_back(cell, nonlinearity, bias, tmp_path):
    model = small_model(cell, nonlinearity, bias=bias)
    if not bias:
        model.input_normalization = model.input_normalization.identity(3)
    y = model.forward(X).outputs
    proto = model.to_onnx(tmp_path / 'model.onnx', dtype='float64')
    if nonlinearity == 'tanh':  # the evaluator knows no other
        (theirs,) = ReferenceEvaluator(proto).run(None, {'x': X})
        np.testing.assert_allclose(theirs, y, rtol=1e-12)
    for given in (proto, proto.SerializeToString(), tmp_path / 'model.onnx'):
        back = SequenceModel.from_onnx(given, *NAMES)
        assert (back.cell, back.nonlinearity, back.num_layers) == (cell, nonlinearity, 2)
        np.testing.assert_allclose(back.forward(X).outputs, y, rtol=1e-12)


@every_cell
def test_onnx_runtime_agrees(cell, nonlinearity):
    """It has no recurrent nodes in double precision."""
    runtime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed')
    model = small_model(cell, nonlinearity)
    session = runtime.InferenceSession(model.to_onnx().SerializeToString())
    (theirs,) = session.run(None, {'x': X.astype(np.float32)})
    np.testing.assert_allclose(theirs, model.forward(X).outputs, rtol=1e-5)


@pytest.mark.parametrize('cell', ['elman', 'gru', 'lstm'])
@pytest.mark.parametrize('batch_first', [True, False])
def test_what_pytorch_exports_is_read(cell, batch_first):
    """With its zeros for states, built from the shape of the input, and its transpositions."""
    torch = pytest.importorskip('torch', reason='PyTorch is not installed')
    kind = {'elman': torch.nn.RNN, 'gru': torch.nn.GRU, 'lstm': torch.nn.LSTM}[cell]

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = kind(3, 5, 2, batch_first=batch_first)
            self.head = torch.nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[0])

    module = Module().eval()
    x = torch.tensor(X, dtype=torch.float32)
    graph = io.BytesIO()
    torch.onnx.export(module, (x if batch_first else x.transpose(0, 1),), graph, dynamo=False)
    model = SequenceModel.from_onnx(graph.getvalue(), *NAMES)
    theirs = module(x if batch_first else x.transpose(0, 1)).detach().numpy()
    theirs = theirs if batch_first else theirs.swapaxes(0, 1)
    np.testing.assert_allclose(model.forward(X).outputs, theirs, rtol=0, atol=1e-6)


def changed(change):
    """Return the graph of a GRU with a change made to it."""
    proto = small_model('gru', num_layers=1).to_onnx(dtype='float64')
    change(proto.graph)
    return proto


def recurrent(graph):
    return next(node for node in graph.node if node.op_type == 'GRU')


def set_attribute(name, value):
    def change(graph):
        node = recurrent(graph)
        for attribute in [each for each in node.attribute if each.name == name]:
            node.attribute.remove(attribute)
        node.attribute.append(helper.make_attribute(name, value))

    return change


def drop_head(graph):
    for kind in ('MatMul', 'Add'):
        graph.node.remove(next(node for node in graph.node if node.op_type == kind))


def add_a_tanh(graph):
    last = graph.node[-1]
    last.output[0] = 'before'
    graph.node.append(helper.make_node('Tanh', ['before'], ['y']))


def weights_of_the_input(graph):
    recurrent(graph).input[1] = 'x'


def two_kinds(graph):
    node = recurrent(graph)
    graph.node.append(helper.make_node('RNN', list(node.input), ['other'], hidden_size=5))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (set_attribute('direction', 'reverse'), "has direction=b'reverse'; only b'forward'"),
        (set_attribute('linear_before_reset', 0), 'has linear_before_reset=0; only 1'),
        (set_attribute('clip', 1.0), 'has clip=1.0'),
        (set_attribute('activations', ['HardSigmoid', 'Tanh']), r"activations=\['HardSigmoid'"),
        (drop_head, 'a linear head with a bias is needed'),
        (add_a_tanh, 'more to it than recurrent nodes and a linear head'),
        (weights_of_the_input, 'depend on the inputs of the graph'),
        (two_kinds, 'recurrent nodes of one kind are needed'),
    ],
)
def test_what_is_no_such_graph_is_named(change, message):
    with pytest.raises(ValueError, match=f'ONNX (node|graph) .*{message}'):
        SequenceModel.from_onnx(changed(change), *NAMES)


def test_weights_may_come_from_constant_nodes():
    """Also from what is computed from constants alone."""
    proto = small_model('gru', num_layers=1).to_onnx(dtype='float64')
    graph = proto.graph
    tensors = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    half = numpy_helper.from_array(0.5 * tensors['W0'])
    graph.initializer.remove(next(each for each in graph.initializer if each.name == 'W0'))
    graph.node.insert(0, helper.make_node('Constant', [], ['half'], value=half))
    graph.node.insert(1, helper.make_node('Add', ['half', 'half'], ['W0']))
    model = SequenceModel.from_onnx(proto, *NAMES)
    expected = small_model('gru', num_layers=1).forward(X).outputs
    np.testing.assert_allclose(model.forward(X).outputs, expected, rtol=1e-12)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nothing\.onnx: no such file'):
        SequenceModel.from_onnx(tmp_path / 'nothing.onnx', *NAMES)
    (tmp_path / 'noise.onnx').write_bytes(b'noise')
    with pytest.raises(ValueError, match=r'noise\.onnx: damaged, or no ONNX model'):
        SequenceModel.from_onnx(tmp_path / 'noise.onnx', *NAMES)


def test_what_onnx_has_not():
    with pytest.raises(ValueError, match='to_onnx: feedthrough=True'):
        small_model(feedthrough=True).to_onnx()
    with pytest.raises(ValueError, match="dtype 'float16' is not one of"):
        small_model().to_onnx(dtype='float16')
