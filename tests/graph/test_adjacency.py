"""Weights from flows, similarities and design structure matrices."""

import numpy as np
import pytest
import scipy.sparse as sp

from mdao_seq import (
    AdjacencyComp,
    DesignStructureAdjacency,
    FlowAdjacency,
    SimilarityAdjacency,
    pagerank,
)
from mdao_seq.graph.errors import InputError
from tests.derivative_checks import check_derivatives

FLOWS = FlowAdjacency(['a', 'b', 'a', 'b'], ['b', 'c', 'c', 'a'], smoothing=0.2)
SIMILARITIES = SimilarityAdjacency(labels=['x', 'y', 'z'], threshold=0.3, smoothing=0.1)
DSM = DesignStructureAdjacency([[9.0, 2.0, 0.0], [0.0, 9.0, 1.0], [3.0, 0.5, 9.0]], list('pqr'))


@pytest.mark.parametrize('adjacency', [FLOWS, SIMILARITIES, DSM], ids=lambda a: a.name)
def test_derivatives(adjacency):
    check_derivatives(lambda: AdjacencyComp(adjacency=adjacency))


@pytest.mark.parametrize('flow', [3.0, -3.0])
def test_the_sign_of_a_flow_is_its_direction(flow):
    adjacency = FlowAdjacency([0], [1], smoothing=1e-3)
    weights = adjacency.weights(np.array([flow]))
    along = adjacency.graph.edge(0, 1) if flow > 0 else adjacency.graph.edge(1, 0)
    assert weights[along] == pytest.approx(3.0, rel=1e-6)
    assert weights[1 - along] == pytest.approx(0.25e-6 / 3.0, rel=1e-6)


def test_both_directions_differ_by_the_flow_and_are_smooth_at_zero():
    flows = np.linspace(-1.0, 1.0, 201)
    adjacency = FlowAdjacency([0], [1], smoothing=0.1)
    weights = np.array([adjacency.weights(np.array([q])) for q in flows])
    np.testing.assert_allclose(weights[:, 0] - weights[:, 1], flows, atol=1e-15)
    assert weights.min() > 0.0
    assert np.abs(np.diff(weights, 3, axis=0)).max() < 1e-4


def test_parallel_links_are_summed():
    weights = FLOWS.weights(np.array([1.0, 0.0, 0.0, -2.0]))
    edge = FLOWS.graph.edge('a', 'b')
    assert weights[edge] == pytest.approx(0.5 * (1 + np.hypot(1, 0.2) + 2 + np.hypot(2, 0.2)))


def test_similarities_join_pairs_above_the_threshold():
    values = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, -500.0], [0.0, 700.0, 1.0]])
    weights = SIMILARITIES.weights(values.ravel())
    graph = SIMILARITIES.graph
    assert graph.nnz == 6
    assert weights[graph.edge('x', 'y')] == pytest.approx(0.6 + 0.1 * np.log1p(np.exp(-6.0)))
    assert weights[graph.edge('y', 'z')] == 0.0
    assert weights[graph.edge('z', 'y')] == pytest.approx(699.7)


@pytest.mark.parametrize('convention', ['inputs in rows', 'inputs in columns'])
@pytest.mark.parametrize('toward', ['dependencies', 'dependents'])
@pytest.mark.parametrize('as_matrix', [np.asarray, sp.csr_array])
def test_edges_of_a_design_structure_matrix(convention, toward, as_matrix):
    """Of p, q, r: p depends on q (2), q on r (1), r on p (3)."""
    depends = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0], [3.0, 0.0, 0.0]])
    dsm = depends if convention == 'inputs in rows' else depends.T
    adjacency = DesignStructureAdjacency(as_matrix(dsm), list('pqr'), convention, toward)
    weights = adjacency.weights(adjacency.strengths)
    found = {(graph_name(adjacency, e)): weights[e] for e in range(adjacency.graph.nnz)}
    forward = {'pq': 2.0, 'qr': 1.0, 'rp': 3.0}
    if toward == 'dependents':
        forward = {name[::-1]: value for name, value in forward.items()}
    assert found == forward


def graph_name(adjacency, e):
    graph = adjacency.graph
    return graph.name(graph.src[e]) + graph.name(graph.dst[e])


def test_what_all_depend_on_ranks_first():
    dsm = np.zeros((4, 4))
    dsm[1:, 0] = 1.0
    adjacency = DesignStructureAdjacency(dsm, ['base', 'a', 'b', 'c'])
    weights = adjacency.weights(adjacency.strengths)
    assert np.argmax(pagerank(adjacency.graph, weights=weights).scores) == 0


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: FlowAdjacency([0], [1], smoothing=0.0), 'smoothing = 0.0: must be above zero'),
        (lambda: FlowAdjacency([0, 2], [1, 2], 0.1), 'link 1 leads from .*2.* to itself'),
        (lambda: SimilarityAdjacency(1), 'n = 1: there must be at least two items'),
        (lambda: SimilarityAdjacency(3, smoothing=-1.0), 'smoothing = -1.0'),
        (lambda: DesignStructureAdjacency(np.eye(3)), 'no marks off its diagonal'),
        (lambda: DesignStructureAdjacency(np.ones((2, 3))), 'must be square'),
        (lambda: DesignStructureAdjacency(np.ones((2, 2)), convention='rows'), "convention = 'r"),
        (lambda: DesignStructureAdjacency(np.ones((2, 2)), toward='up'), "toward = 'up'"),
        (lambda: DesignStructureAdjacency(-np.ones((2, 2))), r'dsm\[0, 1\] = -1.0: must be'),
        (lambda: FlowAdjacency(['a', 'b'], ['b'], 0.1), r'src has shape \(2,\) and dst \(1,\)'),
        (lambda: SimilarityAdjacency(3, labels=['a']), '1 labels for n=3 items'),
        (lambda: SimilarityAdjacency(labels=['a', 'a']), "label 'a' is given to two nodes"),
        (lambda: SimilarityAdjacency(3, threshold=np.nan), 'threshold = nan: must be finite'),
    ],
)
def test_what_is_wrong_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_diagonal_of_a_design_structure_matrix_says_nothing():
    marks = np.array([[-1.0, 2.0], [1.0, np.nan]])
    adjacency = DesignStructureAdjacency(marks, labels=['wing', 'fuel'])
    assert adjacency.strengths.tolist() == [2.0, 1.0]


@pytest.mark.parametrize('smoothing', [1e-3, 1e-7, 1e-12])
def test_slopes_of_small_weights_keep_their_digits(smoothing):
    """What a node passes on is divided by its sum: small weights count in proportion."""
    adjacency = FlowAdjacency([0, 1, 2], [1, 2, 0], smoothing)
    flows = np.array([1.0, -2.0, 0.0])
    for link in range(3):
        by_step = adjacency.weights(flows + 1e-40j * np.eye(3)[link]).imag / 1e-40
        slopes = np.zeros(adjacency.graph.nnz)
        own = adjacency.cols == link
        slopes[adjacency.rows[own]] = adjacency.slopes(flows)[own]
        np.testing.assert_allclose(slopes, by_step, rtol=1e-12)
