"""The examples about rankings: made-up data always, published data where they are."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mdao_seq import pagerank
from tests.shared_data import shared_file

EXAMPLES = Path(__file__).parents[2] / 'examples'
if str(EXAMPLES) not in sys.path:  # as `python examples/dsm_ranking.py` has it
    sys.path.insert(0, str(EXAMPLES))

import dsm_ranking  # noqa: E402
import route_network  # noqa: E402


def check_weakened(result):
    """Check that the budget is kept and the share is what it is said to be, and lower."""
    adjacency, found = result['adjacency'], result['found']['SLSQP']
    marks, full = found['marks'], adjacency.strengths
    assert (full - marks).sum() <= dsm_ranking.BUDGET + 1e-6
    assert marks.min() >= dsm_ranking.WEAKEST * full.min() - 1e-9
    assert found['share'] < 0.95 * result['share']
    scores = pagerank(adjacency.graph, weights=adjacency.weights(marks), tol=1e-13).scores
    np.testing.assert_allclose(found['scores'], scores, atol=1e-10)
    exact = np.sort(scores)[-dsm_ranking.FIRST :].sum()
    assert exact <= found['share'] + 1e-12
    assert found['share'] <= exact + 0.01
    assert 1 <= len(dsm_ranking.weakened(result)) <= 8


def test_interfaces_of_a_made_up_matrix(tmp_path):
    result = dsm_ranking.run(out=tmp_path)
    check_weakened(result)
    assert (tmp_path / 'dsm_ranking.png').stat().st_size > 20_000


@pytest.mark.parametrize('matrix', ['dieselEngine', 'carframe'])
def test_interfaces_of_a_published_matrix(tmp_path, matrix):
    check_weakened(dsm_ranking.run(shared_file('dsm_ead.npz'), matrix, tmp_path))


def check_routes(result):
    graph, routes, found = result['graph'], result['routes'], result['found']['SLSQP']
    assert found['success']
    weights = graph.weights.copy()
    weights[routes] *= found['factors']
    assert weights.sum() == pytest.approx(graph.weights.sum(), rel=1e-7)
    scores = pagerank(graph, weights=weights, tol=1e-13).scores[result['hubs']]
    np.testing.assert_allclose(found['rank'], scores, atol=1e-9)
    assert scores.sum() <= route_network.SHARE * result['share'] * (1 + 1e-6)
    assert np.argmax(scores) == 0
    into = result['into']
    assert found['factors'][:into].mean() < 1.0 < found['factors'][into:].mean()


def test_routes_of_a_made_up_network(tmp_path):
    check_routes(route_network.run(hubs=6, routes=12, out=tmp_path))
    assert (tmp_path / 'route_network.png').stat().st_size > 20_000


def test_routes_of_the_world(tmp_path):
    check_routes(route_network.run(shared_file('openflights_routes.npz'), out=tmp_path))
