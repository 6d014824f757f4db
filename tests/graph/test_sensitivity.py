"""Products with the derivatives: against differences and complex step, and against each other."""

import copy
import pickle

import numpy as np
import pytest

from mdao_seq import Graph, pagerank
from mdao_seq.graph.errors import InputError, NotConverged, NotDifferentiable
from mdao_seq.graph.sensitivity import linearize
from tests.graph.graphs import each_method, random_graph
from tests.shared_data import shared_arrays

INPUTS = ('weights', 'damping', 'personalization', 'dangling')


def random_point(graph, seed=0, damping=0.85):
    rng = np.random.default_rng(seed)
    return {
        'weights': rng.uniform(0.1, 1.0, graph.nnz),
        'damping': damping,
        'personalization': rng.uniform(size=graph.n),
        'dangling': rng.uniform(size=graph.n),
    }


def relative_error(value, reference):
    return np.abs(value - reference).max() / np.abs(reference).max()


@each_method
@pytest.mark.parametrize('damping', [0.0, 0.85, 0.99])
@pytest.mark.parametrize(
    ('wrt', 'own_dangling'),
    [(wrt, True) for wrt in INPUTS] + [(wrt, False) for wrt in INPUTS[:3]],
)
def test_forward_products_are_complex_steps(method, damping, wrt, own_dangling):
    graph = random_graph(1)
    at = random_point(graph, damping=damping)
    if not own_dangling:
        del at['dangling']
    direction = np.random.default_rng(3).standard_normal(np.shape(at[wrt]))
    stepped = at | {wrt: at[wrt] + 1e-40j * direction}
    reference = pagerank(graph, tol=1e-15, method='direct', **stepped).scores.imag / 1e-40
    change = linearize(graph, method=method, **at).jvp(**{wrt: direction})
    if np.abs(reference).max() == 0.0:
        assert np.abs(change).max() == 0.0
    else:
        assert relative_error(change, reference) <= 1e-12


@each_method
@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('own_dangling', [False, True])
def test_forward_and_reverse_agree(method, seed, own_dangling):
    graph = random_graph(seed, n=80, edges=400)
    at = random_point(graph, seed)
    names = INPUTS if own_dangling else INPUTS[:3]
    linearized = linearize(graph, method=method, **{name: at[name] for name in names})
    rng = np.random.default_rng(seed)
    bar = rng.standard_normal(graph.n)
    gradient = linearized.vjp(bar)
    for name in names:
        direction = rng.standard_normal(np.shape(at[name]))
        forward = linearized.jvp(**{name: direction})
        reverse = np.sum(getattr(gradient, name) * direction)
        scale = np.linalg.norm(forward) * np.linalg.norm(bar)
        assert abs(forward @ bar - reverse) <= 1e-13 * scale
    assert (gradient.dangling is None) is not own_dangling


@each_method
def test_edge_gradients_agree_with_central_differences(method):
    graph = random_graph(2)
    at = random_point(graph)
    bar = np.random.default_rng(5).standard_normal(graph.n)
    gradient = linearize(graph, method=method, **at).vjp(bar).weights
    h = 1e-4

    def fourth_order(e):
        def value(step):
            weights = at['weights'].copy()
            weights[e] += step
            return bar @ pagerank(graph, tol=1e-15, **(at | {'weights': weights})).scores

        return (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h)

    reference = np.array([fourth_order(e) for e in range(graph.nnz)])
    assert relative_error(gradient, reference) <= 1e-8


def test_two_nodes_in_closed_form():
    # 0 -> 1 with 1 dangling, v = (p, 1 - p): pi_0 = p / (1 + a p).
    a, p = 0.6, 0.3
    linearized = linearize(Graph.from_edges([0], [1]), a, personalization=[3.0, 7.0])
    gradient = linearized.vjp(np.array([1.0, 0.0]))
    assert gradient.damping == pytest.approx(-(p**2) / (1 + a * p) ** 2, rel=1e-14)
    assert gradient.weights == pytest.approx([0.0], abs=1e-16)
    by_p = 1.0 / (1 + a * p) ** 2
    assert gradient.personalization == pytest.approx([by_p * 0.07, -by_p * 0.03], rel=1e-14)


@each_method
def test_gradients_leave_out_what_only_rescales(method):
    """Scaling a row of weights or the personalization changes nothing."""
    graph = random_graph(3)
    at = random_point(graph)
    gradient = linearize(graph, method=method, **at).vjp(np.arange(float(graph.n)))
    by_row = np.bincount(graph.src, gradient.weights * at['weights'], minlength=graph.n)
    assert np.abs(by_row).max() <= 1e-13 * np.abs(gradient.weights).max()
    scale = np.abs(gradient.personalization).max()
    assert abs(gradient.personalization @ at['personalization']) <= 1e-13 * scale


@each_method
def test_products_under_a_complex_step_are_second_derivatives(method):
    graph = random_graph(1)
    at = random_point(graph)
    rng = np.random.default_rng(7)
    bar, direction = rng.standard_normal(graph.n), rng.standard_normal(graph.nnz)

    def gradient(step):
        moved = at | {'weights': at['weights'] + step * direction}
        return linearize(graph, method=method, **moved).vjp(bar).weights

    reference = (gradient(1e-5) - gradient(-1e-5)) / 2e-5
    assert relative_error(gradient(1e-40j).imag / 1e-40, reference) <= 1e-7


@each_method
def test_copies_and_pickles_give_the_same_products(method):
    graph = random_graph()
    linearized = linearize(graph, method=method)
    bar = np.arange(float(graph.n))
    expected = linearized.vjp(bar)
    for other in (copy.deepcopy(linearized), pickle.loads(pickle.dumps(linearized))):
        np.testing.assert_array_equal(other.vjp(bar).weights, expected.weights)
        np.testing.assert_array_equal(other.vjp(bar).personalization, expected.personalization)


def test_row_of_zeros_has_no_weight_derivative_but_the_others():
    graph = Graph.from_edges(
        [0, 1, 1, 2], [1, 0, 2, 0], [1.0, 0.0, 0.0, 2.0], labels=['a', 'b', 'c']
    )
    linearized = linearize(graph)
    with pytest.raises(NotDifferentiable, match="leave node 'b' are zero"):
        linearized.jvp(weights=np.ones(4))
    with pytest.raises(NotDifferentiable, match="leave node 'b' are zero"):
        linearized.vjp(np.ones(3))
    bar = np.array([1.0, 0.0, 0.0])
    by_step = pagerank(graph, 0.85 + 1e-40j).scores[0].imag / 1e-40
    assert linearized.vjp(bar, ['damping']).damping == pytest.approx(by_step, rel=1e-13)


def test_zero_weight_beside_others_is_differentiable():
    graph = Graph.from_edges([0, 0, 1], [0, 1, 0], [1.0, 0.0, 1.0])
    weights = graph.weights + np.array([0.0, 1e-40j, 0.0])
    reference = pagerank(graph, weights=weights).scores.imag / 1e-40
    change = linearize(graph).jvp(weights=np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(change, reference, rtol=1e-12)


def test_dangling_that_follows_the_personalization_has_no_change_of_its_own():
    graph = random_graph()
    with pytest.raises(InputError, match='dangling'):
        linearize(graph).jvp(dangling=np.ones(graph.n))


def test_a_product_that_does_not_converge_says_so():
    graph = random_graph(n=1500, edges=6000)
    linearized = linearize(graph, method='power')
    linearized._method.max_iterations = 3
    with pytest.raises(NotConverged, match='in 3 iterations'):
        linearized.vjp(np.eye(1, graph.n)[0])


@pytest.mark.parametrize('name', ['wiki_vote', 'openflights_routes'])
def test_real_graphs(name):
    data = shared_arrays(name)
    n = int(data['n'])
    graph = Graph.from_edges(data['src'], data['dst'], data.get('w'), n=n)
    linearized = linearize(graph)
    rng = np.random.default_rng(0)
    bar = rng.standard_normal(n)
    direction = graph.weights * rng.standard_normal(graph.nnz)
    gradient = linearized.vjp(bar)
    forward = linearized.jvp(weights=direction)
    scale = np.linalg.norm(forward) * np.linalg.norm(bar)
    assert abs(forward @ bar - gradient.weights @ direction) <= 1e-13 * scale

    # Along the steepest edges, so that the differences measure the gradient and not its absence.
    direction = graph.weights * np.sign(gradient.weights)
    h = 1e-4
    ahead, behind = (
        bar @ pagerank(graph, tol=1e-14, weights=graph.weights + s * h * direction).scores
        for s in (1, -1)
    )
    exact = gradient.weights @ direction
    assert (ahead - behind) / (2 * h) == pytest.approx(exact, rel=1e-8)


def test_products_do_not_follow_the_caller_s_array():
    graph = random_graph()
    weights = graph.weights + 0.1
    at = linearize(graph, weights=weights)
    bar = np.random.default_rng(0).standard_normal(graph.n)
    before = at.vjp(bar).weights
    weights[:] = 1.0
    np.testing.assert_array_equal(at.vjp(bar).weights, before)


def test_what_is_wanted_is_one_of_the_inputs():
    with pytest.raises(InputError, match=r"wanted = \['weight'\]: must be some of"):
        linearize(random_graph()).vjp(np.ones(30), wanted=['weight'])
