"""The pattern: its order, what it keeps, and what it refuses."""

import copy
import pickle
import weakref

import numpy as np
import pytest

from mdao_seq import Graph, pagerank
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.sensitivity import linearize
from tests.graph.graphs import random_graph


def test_edges_are_sorted_summed_and_mapped():
    graph = Graph.from_edges([2, 0, 2, 0, 1], [0, 1, 0, 0, 1], [1.0, 2.0, 3.0, 0.0, 5.0], n=4)
    assert graph.n == 4
    assert graph.nnz == 4
    np.testing.assert_array_equal(graph.src, [0, 0, 1, 2])
    np.testing.assert_array_equal(graph.dst, [0, 1, 1, 0])
    np.testing.assert_array_equal(graph.weights, [0.0, 2.0, 5.0, 4.0])
    np.testing.assert_array_equal(graph.edge_map, [3, 1, 3, 0, 2])
    assert graph.src.dtype == graph.dst.dtype == graph.indptr.dtype == np.int32


@pytest.mark.parametrize('seed', range(5))
def test_order_agrees_with_numpy_unique(seed):
    rng = np.random.default_rng(seed)
    src, dst = rng.integers(0, 12, (2, 200))
    weights = rng.uniform(size=200)
    graph = Graph.from_edges(src, dst, weights)
    pairs, place = np.unique(np.stack([src, dst]), axis=1, return_inverse=True)
    np.testing.assert_array_equal([graph.src, graph.dst], pairs)
    np.testing.assert_array_equal(graph.edge_map, place.ravel())
    np.testing.assert_allclose(graph.weights, np.bincount(place.ravel(), weights), rtol=1e-15)


def test_without_weights_each_edge_counts_one():
    graph = Graph.from_edges([0, 0, 1], [1, 1, 0])
    np.testing.assert_array_equal(graph.weights, [2.0, 1.0])


def test_graph_without_edges():
    graph = Graph.from_edges([], [], n=3)
    assert (graph.n, graph.nnz) == (3, 0)


def test_narrow_unsigned_node_numbers():
    src = np.array([200, 250], dtype=np.uint8)
    graph = Graph.from_edges(src, src[::-1])
    assert graph.n == 251
    np.testing.assert_array_equal(graph.src, [200, 250])


def test_both_matrices_are_the_dense_one():
    graph = random_graph()
    dense = np.zeros((graph.n, graph.n))
    dense[graph.src, graph.dst] = graph.weights
    np.testing.assert_array_equal(graph.matrix(graph.weights).toarray(), dense)
    np.testing.assert_array_equal(graph.transposed_matrix(graph.weights).toarray(), dense.T)


def test_labels_name_nodes():
    graph = Graph.from_edges(['b', 'a'], ['c', 'b'], labels=np.array(['a', 'b', 'c']))
    assert graph.labels == ('a', 'b', 'c')
    assert graph.node('c') == 2
    assert graph.node(2) == 2
    assert graph.edge_name(1) == "'b' -> 'c'"
    assert Graph.from_edges(['b', 'a'], ['c', 'b']).labels == ('b', 'c', 'a')


def test_integer_labels_are_not_mistaken_for_numbers():
    graph = Graph.from_edges([0], [1], labels=[1, 7])
    assert graph.node(1) == 0
    assert graph.node(7) == 1
    with pytest.raises(InputError, match='unknown node 0'):
        graph.node(0)


def test_copies_share_the_graph_and_pickles_do_not_need_it():
    graph = random_graph()
    assert copy.deepcopy(graph) is graph
    again = pickle.loads(pickle.dumps(graph))
    np.testing.assert_array_equal(again.src, graph.src)
    np.testing.assert_array_equal(again.weights, graph.weights)


def test_a_graph_does_not_change():
    with pytest.raises(ValueError, match='read-only'):
        random_graph().weights[0] = 1.0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (([0, 1], [1, 9], None, 3), r'dst\[1\] = 9 \(edge 1 -> 9\) points outside'),
        (([0, -1], [1, 0]), r'src\[1\] = -1 \(edge -1 -> 0\) points outside'),
        (([0, 1], [1, 0], [1.0, -2.0]), r'weights\[1\] = -2.0 \(edge 1 -> 0\)'),
        (([0, 1], [1, 0], [np.nan, 1.0]), r'weights\[0\] = nan \(edge 0 -> 1\)'),
        (([0, 1], [1, 0], [1.0, np.inf]), r'weights\[1\] = inf'),
        (([0, 1], [1, 0], [1.0]), r'weights has shape \(1,\), but there are 2 edges'),
        (([0, 1], [1]), r'src has shape \(2,\) and dst \(1,\)'),
        (([0.0, 1.0], [1, 0]), 'src is float64 and dst int64'),
        ((['a'], [0]), 'both must be integers'),
        (([], []), 'n=0 nodes'),
        (([0], [1], None, 3, ['a', 'b']), '2 labels for n=3 nodes'),
        (([0], [1], None, None, ['a', 'a']), "the label 'a' is given to two nodes"),
        ((['a', 'x'], ['a', 'a'], None, None, ['a']), r"unknown node 'x' in edge 1 \('x' -> 'a'\)"),
    ],
)
def test_bad_edges_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        Graph.from_edges(*arguments)


def test_labelled_weight_is_named_by_label():
    with pytest.raises(InputError, match=r"weights\[0\] = -1.0 \(edge 'a' -> 'b'\)"):
        Graph.from_edges(['a'], ['b'], [-1.0])


@pytest.mark.parametrize('label', ['z', 3, -1, True, 1.0])
def test_unknown_node(label):
    with pytest.raises(InputError, match=f'unknown node {label!r}'):
        Graph.from_edges(['a', 'b'], ['b', 'c']).node(label)


def test_labels_are_what_they_are():
    places = Graph.from_edges([(0, 0), (0, 1), (1, 0, 'up')], [(0, 1), (1, 0, 'up'), (0, 0)])
    assert places.labels == ((0, 0), (0, 1), (1, 0, 'up'))
    mixed = Graph.from_edges(['b', 0], [0, 'a'])
    assert mixed.labels == ('b', 0, 'a')
    assert mixed.node(0) == 1
    assert (0, 1) in places
    assert (0, 2) not in places
    assert [0] not in places


def test_a_label_that_is_nearly_right_is_pointed_out():
    graph = Graph.from_edges(['wing', 'fuel'], ['fuel', 'cabin'])
    with pytest.raises(InputError, match=r"unknown node 'wings'.*; is 'wing' meant"):
        graph.node('wings')


@pytest.mark.parametrize('number', [-1, 3])
def test_there_is_no_name_for_it(number):
    with pytest.raises(InputError, match=f'unknown node {number}: the nodes are 0 to 2'):
        Graph.from_edges([0, 1], [1, 2]).name(number)


def test_a_graph_has_as_many_nodes_as_labels():
    with pytest.raises(InputError, match='2 labels for n=4 nodes'):
        Graph.from_edges(['a'], ['b'], n=4)
    with pytest.raises(InputError, match=r"weights = \['a', 'b'\]: must be numbers"):
        Graph.from_edges([0, 1], [1, 0], ['a', 'b'])


def test_a_graph_from_a_pickle_does_not_change_either():
    graph = pickle.loads(pickle.dumps(random_graph()))
    with pytest.raises(ValueError, match='read-only'):
        graph.weights[0] = -5.0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((['a', None], ['b', 'a']), 'end None, which is no label'),
        ((['a', ''], ['b', 'a']), "end '', which is no label"),
        ((np.array(['a', np.nan], object), ['b', 'a']), 'end nan, which is no label'),
        (([0, 0], [1, 1], [1e308, 1e308]), 'weights of the edges 0 -> 1 sum to inf'),
        (([0, 1], [1, 10**11]), r"node number 100000000000 with 2 edges.*labels='ends'"),
        (([0], [1], ['2.5']), 'must be numbers'),
    ],
)
def test_what_is_no_edge_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Graph.from_edges(*arguments)


def test_a_graph_that_is_dropped_is_gone():
    graph = random_graph(n=1200, edges=5000)
    pagerank(graph)
    at = linearize(graph)
    gone = weakref.ref(graph)
    del graph
    assert gone() is not None  # the products need it
    at.vjp(np.ones(1200))
    del at
    assert gone() is None


@pytest.mark.parametrize(
    ('ends', 'message'),
    [({'ab', 'cd'}, 'ends are a set'), ([{1}, {2}], r'end \{1\}, which is no label: not hashable')],
)
def test_ends_have_an_order_and_are_hashable(ends, message):
    with pytest.raises(InputError, match=message):
        Graph.from_edges(ends, ['a', 'b'])
