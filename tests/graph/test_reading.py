"""Graphs from SciPy, NetworkX and tables in files."""

import gzip

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp

from mdao_seq import Graph, pagerank
from mdao_seq.graph.errors import InputError
from tests.graph.graphs import random_graph


def same(graph, other):
    assert graph.labels == other.labels
    for name in ('indptr', 'dst', 'weights'):
        np.testing.assert_array_equal(getattr(graph, name), getattr(other, name))


@pytest.mark.parametrize('kind', [sp.csr_array, sp.csc_matrix, sp.coo_array])
def test_from_scipy_keeps_stored_zeros(kind):
    graph = random_graph()
    assert np.any(graph.weights == 0.0)
    same(Graph.from_scipy(kind(graph.matrix(graph.weights))), graph)


def test_from_a_dense_matrix_with_labels():
    graph = Graph.from_scipy([[0.0, 2.0], [1.0, 0.0]], labels=['a', 'b'])
    same(graph, Graph.from_edges([0, 1], [1, 0], [2.0, 1.0], labels=['a', 'b']))


def test_a_matrix_that_is_not_square():
    with pytest.raises(InputError, match=r'shape \(2, 3\): it must be square'):
        Graph.from_scipy(np.ones((2, 3)))


@pytest.mark.parametrize(
    'network',
    [
        nx.karate_club_graph(),
        nx.les_miserables_graph(),
        nx.gn_graph(30, seed=1),
        nx.MultiDiGraph([('a', 'b', {'weight': 2.0}), ('a', 'b', {}), ('b', 'c', {})]),
        nx.empty_graph(3, nx.DiGraph),
    ],
)
def test_from_networkx_has_the_scores_that_networkx_has(network):
    graph = Graph.from_networkx(network)
    expected = nx.pagerank(network, tol=1e-14, max_iter=1000)
    found = pagerank(graph, tol=1e-13).scores
    for node, score in expected.items():
        assert found[graph.node(node)] == pytest.approx(score, rel=1e-9)


def test_another_library_s_graph_is_told_from_ours():
    with pytest.raises(InputError, match=r'graph is a networkx.*Graph, not a mdao_seq.Graph; make'):
        pagerank(nx.karate_club_graph())


def test_from_networkx_without_weights():
    network = nx.DiGraph([('a', 'b', {'weight': 2.0}), ('a', 'c', {'weight': 4.0})])
    assert Graph.from_networkx(network, weight=None).weights.tolist() == [1.0, 1.0]
    with pytest.raises(InputError, match=r"weights\[0\] = -1.0 \(edge 'a' -> 'b'\)"):
        Graph.from_networkx(nx.DiGraph([('a', 'b', {'weight': -1})]))


def test_a_table_with_names_and_labels(tmp_path):
    path = tmp_path / 'edges.csv'
    path.write_text(
        '# a design structure matrix\n'
        'kind, target,source,weight\n'
        'flow,"fuel, aft",wing,2.5\n'
        'flow,wing,tail,1\n'
    )
    graph = Graph.from_csv(path, weight='weight')
    same(graph, Graph.from_edges(['wing', 'tail'], ['fuel, aft', 'wing'], [2.5, 1.0]))
    assert Graph.from_csv(path).weights.tolist() == [1.0, 1.0]


def test_what_spreadsheets_and_people_put_into_tables(tmp_path):
    path = tmp_path / 'edges.csv'
    path.write_text('source,target\n\nb,#1\n# not this\nb,c\n\n', encoding='utf-8-sig')
    same(Graph.from_csv(path), Graph.from_edges(['b', 'b'], ['#1', 'c']))
    path.write_bytes('source,target\na,\xe9\n'.encode('latin-1'))
    with pytest.raises(InputError, match=r'edges.csv, after line \d+: not UTF-8'):
        Graph.from_csv(path)


def test_names_of_columns_may_have_the_delimiter(tmp_path):
    path = tmp_path / 'edges.csv'
    path.write_text('"length, km",source,target,w\n12,a,b,5\n7,b,a,6\n')
    same(Graph.from_csv(path, weight='w'), Graph.from_edges(['a', 'b'], ['b', 'a'], [5.0, 6.0]))
    with pytest.raises(InputError, match="delimiter = '::': must be one character"):
        Graph.from_csv(path, delimiter='::')


def test_integers_may_be_labels(tmp_path):
    path = tmp_path / 'edges.txt'
    path.write_text('7 101\n007 7\n')
    graph = Graph.from_csv(path, 0, 1, delimiter=None, labels='ends')
    same(graph, Graph.from_edges(['7', '007'], ['101', '7']))
    given = Graph.from_csv(path, 0, 1, delimiter=None, labels=['7', '007', '101'])
    assert [given.edge(*ends) for ends in (('7', '101'), ('007', '7'))] == [0, 1]
    path.write_text('0 2\n1 0\n')
    numbered = Graph.from_csv(path, 0, 1, delimiter=None, labels=['wing', 'fuel', 'cabin'])
    same(numbered, Graph.from_edges([0, 1], [2, 0], labels=['wing', 'fuel', 'cabin']))
    assert Graph.from_edges([205, 999], [101, 205], labels='ends').labels == (205, 101, 999)
    with pytest.raises(InputError, match="labels = 'nodes': must be one for each node, or 'ends'"):
        Graph.from_edges([0], [1], labels='nodes')


def test_an_edge_list_of_numbers(tmp_path):
    path = tmp_path / 'edges.txt.gz'
    with gzip.open(path, 'wt') as file:
        file.write('# FromNodeId ToNodeId\n0\t3\n2  1\n')
    graph = Graph.from_csv(path, 0, 1, delimiter=None)
    same(graph, Graph.from_edges([0, 2], [3, 1]))


@pytest.mark.parametrize(
    ('text', 'options', 'message'),
    [
        ('source,target\na,b\n', {'weight': 'w'}, "there is no column 'w' in its first line"),
        ('source,target,w\na,b,heavy\n', {'weight': 'w'}, "edges.csv, line 2: .*'heavy'"),
        ('source,target,w\na,b,-2\n', {'weight': 'w'}, r'edges.csv: weights\[0\] = -2.0'),
        ('', {}, "there is no column 'source'"),
        ('from to\n1 2\n2 3\n', {'source': 0, 'target': 1, 'delimiter': None}, "'from' 'to', and"),
        ('source,target\na,\n', {}, "end '', which is no label"),
        ('source,target\n', {}, 'there are no edges below its first line'),
        ('# edges\n\nsource,target,w\na,b,1\nb,a\n', {'weight': 'w'}, 'edges.csv, line 5: '),
    ],
)
def test_a_table_that_is_wrong_is_named(tmp_path, text, options, message):
    path = tmp_path / 'edges.csv'
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        Graph.from_csv(path, **options)


def test_an_edge_by_the_names_of_its_ends():
    graph = Graph.from_edges(['b', 'a', 'b'], ['c', 'b', 'a'])
    for e in range(graph.nnz):
        assert graph.edge(graph.name(graph.src[e]), graph.name(graph.dst[e])) == e
    with pytest.raises(InputError, match="there is no edge 'c' -> 'b' in the graph"):
        graph.edge('c', 'b')
