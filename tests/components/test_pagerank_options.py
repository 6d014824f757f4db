"""What the options of PageRankComp make inputs, outputs and partials of."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import Graph, PageRankComp, count_calls, fd_cost, pagerank, tune_steps
from tests.components.test_pagerank_comp import problem_of, values_for
from tests.derivative_checks import check_derivatives, partials_of
from tests.graph.graphs import each_method, random_graph, reference_scores

EVERY = ('weights', 'damping', 'personalization', 'dangling')


def layers():
    """Return a graph without cycles, in which few scores depend on few weights."""
    edges = [('a', 'c'), ('a', 'd'), ('b', 'd'), ('c', 'e'), ('d', 'e'), ('d', 'f'), ('f', 'f')]
    return Graph.from_edges(*zip(*edges, strict=True), labels=list('abcdef'))


@each_method
def test_derivatives_of_all_inputs_groups_and_logarithms(method):
    graph = random_graph(n=15, edges=40)
    options = {
        'inputs': EVERY,
        'of_nodes': [3, 7],
        'groups': {'hubs': [1, 2, 7], 'rim': [0, 14]},
        'log': True,
        'method': method,
    }
    values = values_for(graph) | {'dangling': np.random.default_rng(1).uniform(0.1, 1, graph.n)}
    check_derivatives(lambda: PageRankComp(graph=graph, **options), values)


@pytest.mark.parametrize('name', EVERY)
def test_one_input_alone_and_the_others_fixed(name):
    graph = random_graph(n=12, edges=40)
    every = values_for(graph) | {'dangling': np.linspace(1.0, 2.0, graph.n)}
    given = {key: every[key] for key in ('damping', 'personalization', 'dangling')}

    def make():
        return PageRankComp(graph=graph, inputs=[name], **given)

    value = every[name] if name != 'weights' else graph.weights + 0.1
    check_derivatives(make, {name: value})
    problem = problem_of(make())
    problem.run_model()
    assert list(problem.model.comp._var_rel_names['input']) == [name]
    weights = {'dangling': dict(enumerate(given['dangling']))}
    expected = reference_scores(
        graph,
        alpha=given['damping'],
        personalization=dict(enumerate(given['personalization'])),
        **weights,
    )
    np.testing.assert_allclose(problem.get_val('comp.rank'), expected, rtol=1e-11)


def test_fixed_weights_are_prepared_once_for_all_components():
    graph = random_graph()
    comps = [PageRankComp(graph=graph, inputs=['damping']) for _ in range(2)]
    for comp in comps:
        problem = problem_of(comp)
        problem.run_model()
    assert comps[0]._transition is comps[1]._transition


def test_groups_are_sums_and_logarithms_are_natural():
    graph = layers()
    comp = PageRankComp(graph=graph, groups={'ends': ['e', 'f'], 'start': 'a'}, log=True)
    problem = problem_of(comp)
    problem.run_model()
    scores = pagerank(graph, tol=1e-14).scores
    assert problem.get_val('comp.ends') == pytest.approx(scores[4:].sum(), rel=1e-13)
    assert problem.get_val('comp.log_start') == pytest.approx(np.log(scores[0]), rel=1e-13)
    assert 'rank' not in comp._var_rel_names['output']


def test_edges_that_share_a_variable():
    graph = Graph.from_edges(list('aabbc'), list('bcacb'), [1.0, 2.0, 3.0, 4.0, 5.0])
    groups = {'up': [('a', 'b'), ('b', 'c')], 'down': [('b', 'a')]}

    def make(given):
        return PageRankComp(graph=graph, edge_groups=given)

    check_derivatives(lambda: make(groups), {'weights': [0.7, 1.9], 'damping': 0.8})
    problem = problem_of(make(groups), weights=[0.5, 2.0])
    problem.run_model()
    weights = graph.weights.copy()
    weights[[graph.edge('a', 'b'), graph.edge('b', 'c')]] *= 0.5
    weights[graph.edge('b', 'a')] *= 2.0
    expected = pagerank(graph, weights=weights, tol=1e-14).scores
    np.testing.assert_allclose(problem.get_val('comp.rank'), expected, rtol=1e-13)
    numbers = np.full(graph.nnz, -1)
    numbers[[graph.edge('a', 'b'), graph.edge('b', 'c')]] = 0
    numbers[graph.edge('b', 'a')] = 1
    by_number = problem_of(make(numbers), weights=[0.5, 2.0])
    by_number.run_model()
    np.testing.assert_array_equal(by_number.get_val('comp.rank'), problem.get_val('comp.rank'))


@pytest.mark.parametrize('partials', ['dense', 'sparse', 'fd'])
@pytest.mark.parametrize('shape', ['few outputs', 'few inputs'])
def test_the_ways_to_partials_agree(partials, shape):
    graph = random_graph(n=15, edges=40)
    options = {'of_nodes': [3, 7], 'log': True, 'inputs': EVERY}
    if shape == 'few inputs':
        groups = np.arange(graph.nnz) % 3
        options = {'edge_groups': groups, 'inputs': ['weights', 'damping'], 'groups': {'g': [1, 2]}}
        options |= {'of_nodes': np.arange(graph.n)}
    values = {k: v for k, v in values_for(graph).items() if k in options['inputs']}
    if shape == 'few inputs':
        values['weights'] = [0.5, 1.0, 1.5]
    found = {}
    for way in ('matrix_free', partials):
        problem = problem_of(PageRankComp(graph=graph, partials=way, **options), **values)
        problem.run_model()
        found[way] = partials_of(problem)
        totals = problem.compute_totals(
            ['comp.log_rank'] if options.get('log') else ['comp.g'], ['comp.weights']
        )
        found[way] |= {('total', *key): value for key, value in totals.items()}
    atol = 1e-7 if partials == 'fd' else 1e-13
    for key, exact in found['matrix_free'].items():
        got = found[partials].get(key, 0.0)
        np.testing.assert_allclose(got, exact, rtol=0, atol=atol * max(1.0, np.abs(exact).max()))


def test_sparse_has_the_entries_that_can_change():
    graph = layers()
    nodes = ['c', 'd', 'e', 'f']
    comp = PageRankComp(
        graph=graph,
        inputs=['weights'],
        personalization={'a': 1.0, 'b': 1.0},
        of_nodes=nodes,
        partials='sparse',
    )
    problem = problem_of(comp)
    problem.run_model()
    rows, cols = comp._subjacs_info['comp.rank', 'comp.weights']['rows'], None
    info = comp._subjacs_info['comp.rank', 'comp.weights']
    rows, cols = info['rows'], info['cols']
    dense = problem_of(
        PageRankComp(
            graph=graph,
            inputs=['weights'],
            personalization={'a': 1.0, 'b': 1.0},
            of_nodes=nodes,
            partials='dense',
        )
    )
    dense.run_model()
    reference = partials_of(dense)['rank', 'weights']
    assert set(zip(*np.nonzero(np.abs(reference) > 1e-15), strict=True)) <= set(
        zip(rows, cols, strict=True)
    )
    alone = [graph.edge('b', 'd'), graph.edge('c', 'e'), graph.edge('f', 'f')]
    assert not set(cols) & set(alone)
    assert len(rows) < reference.size / 1.5


def test_differences_have_steps_of_their_own_by_output_and_are_counted():
    graph = random_graph(n=15, edges=40)
    options = {'groups': {'hubs': [1, 2], 'rim': [3]}, 'inputs': ['weights', 'damping']}
    comp = PageRankComp(
        graph=graph, partials='fd', fd_steps={'hubs': 1e-4, ('rim', 'damping'): 1e-3}, **options
    )
    problem = problem_of(comp, **{k: values_for(graph)[k] for k in options['inputs']})
    problem.run_model()
    cost = fd_cost(comp)
    assert cost.total == 4 * (graph.nnz + 1)
    with count_calls(problem) as counts:
        partials = partials_of(problem)
    counts.verify()
    assert counts.total('comp') == cost.total
    assert counts.total_calls('comp') == 1

    def hubs(damping):
        values = {k: problem.get_val(f'comp.{k}') for k in ('weights', 'damping')}
        return pagerank(graph, damping, weights=values['weights'], tol=1e-14).scores[[1, 2]].sum()

    damping = problem.get_val('comp.damping')[0]
    by_hand = (hubs(damping + 1e-4) - hubs(damping - 1e-4)) / 2e-4
    assert partials['hubs', 'damping'].item() == pytest.approx(by_hand, rel=1e-9)


def test_differences_do_not_leave_what_pagerank_is_defined_for():
    """At weights of zero a central difference would ask for negative ones."""
    graph = Graph.from_edges([0, 0, 1, 1, 2], [1, 2, 0, 2, 0], [1.0, 0.0, 2.0, 0.0, 1.0])
    found = {}
    for way in ('matrix_free', 'fd'):
        problem = problem_of(
            PageRankComp(graph=graph, partials=way), damping=0.999999, personalization=[0, 1.0, 0]
        )
        problem.run_model()
        found[way] = partials_of(problem)
    for key, exact in found['matrix_free'].items():
        scale = max(1.0, np.abs(exact).max())
        np.testing.assert_allclose(found['fd'][key], exact, rtol=0, atol=1e-6 * scale)


def test_rows_of_zeros_count_as_constants_where_that_is_allowed():
    graph = Graph.from_edges([0, 1, 1, 2, 2], [1, 0, 2, 0, 1], labels=['a', 'b', 'c'])
    weights = [1.0, 0.0, 0.0, 2.0, 1.0]
    for mode in ('fwd', 'rev'):
        problem = om.Problem(reports=False)
        comp = PageRankComp(graph=graph, allow_zero_rows=True)
        problem.model.add_subsystem('comp', comp)
        problem.setup(mode=mode)
        problem.set_val('comp.weights', weights)
        problem.run_model()
        totals = problem.compute_totals(['comp.rank'], ['comp.weights'], return_format='array')
        assert np.all(totals[:, 1:3] == 0.0)
        step = 1e-6
        moved = [
            pagerank(graph, weights=np.add(weights, [0, 0, 0, s, 0]), tol=1e-15)
            for s in (step, -step)
        ]
        by_hand = (moved[0].scores - moved[1].scores) / (2 * step)
        np.testing.assert_allclose(totals[:, 3], by_hand, atol=1e-9)


def test_differences_keep_to_the_rule_of_zero_rows():
    graph = Graph.from_edges([0, 0, 1, 2], [1, 2, 0, 0])
    weights = [0.0, 0.0, 1.0, 1.0]
    options = {'graph': graph, 'inputs': ['weights', 'damping']}
    problem = problem_of(PageRankComp(**options, partials='fd'), weights=weights)
    problem.run_model()
    with pytest.raises(om.AnalysisError, match='all weights that leave node 0 are zero'):
        partials_of(problem)
    found = {}
    for partials in ('fd', 'dense'):
        comp = PageRankComp(**options, partials=partials, allow_zero_rows=True)
        problem = problem_of(comp, weights=weights)
        problem.run_model()
        found[partials] = partials_of(problem)
    for key, exact in found['dense'].items():
        np.testing.assert_allclose(found['fd'][key], exact, atol=1e-8)


@pytest.mark.parametrize('scale', [1e-6, 1.0, 1e6])
def test_steps_go_with_the_weights_that_come_in(scale):
    graph = random_graph(n=12, edges=40)
    found = []
    for partials in ('fd', 'dense'):
        comp = PageRankComp(graph=graph, inputs=['weights'], partials=partials)
        problem = problem_of(comp, weights=scale * (graph.weights + 0.1))
        problem.run_model()
        found.append(scale * partials_of(problem)['rank', 'weights'])
    np.testing.assert_allclose(*found, atol=1e-7)


@pytest.mark.parametrize('partials', ['matrix_free', 'dense', 'sparse', 'fd'])
def test_damping_has_derivatives_beside_a_node_without_weight(partials):
    graph = Graph.from_edges(['a', 'b', 'c'], ['b', 'c', 'a'])
    problem = problem_of(PageRankComp(graph=graph, partials=partials), weights=[1.0, 0.0, 1.0])
    problem.run_model()
    found = problem.compute_totals(['comp.rank'], ['comp.damping'], return_format='array')
    stepped = pagerank(graph, 0.85 + 1e-40j, weights=[1.0, 0.0, 1.0], tol=1e-14).scores
    np.testing.assert_allclose(found.ravel(), stepped.imag / 1e-40, atol=1e-7)


def test_another_library_s_graph_is_told_from_ours():
    with pytest.raises(ValueError, match=r'not a mdao_seq.Graph; make one with'):
        PageRankComp(graph={'a': 'b'})


def test_how_the_last_run_went_can_be_asked():
    comp = PageRankComp(graph=random_graph(), tol=np.float64(1e-12), damping=np.float32(0.5))
    assert comp.result is None
    problem = problem_of(comp)
    problem.run_model()
    result = comp.result
    problem.check_partials(method='fd', out_stream=None)
    assert comp.result is result
    assert comp.result.method == 'direct'
    assert comp.result.residual <= 1e-12


def test_nodes_by_labels_that_are_tuples_and_in_sets():
    graph = Graph.from_edges([(3, 4), (0, 3), (0, 4)], [(0, 3), (0, 4), (3, 4)])
    comp = PageRankComp(graph=graph, of_nodes=(3, 4), groups={'two': {(0, 4), (0, 3)}})
    problem = problem_of(comp)
    problem.run_model()
    scores = pagerank(graph, tol=1e-14).scores
    np.testing.assert_allclose(problem.get_val('comp.rank'), scores[[0]])
    np.testing.assert_allclose(problem.get_val('comp.two'), scores[1:].sum())


def test_edges_between_nodes_whose_labels_are_tuples_of_several_lengths():
    graph = Graph.from_edges([(0, 0), (1, 0, 'up')], [(1, 0, 'up'), (0, 0)])
    groups = {'there': [((0, 0), (1, 0, 'up'))]}
    problem = problem_of(PageRankComp(graph=graph, inputs=['weights'], edge_groups=groups))
    problem.run_model()
    np.testing.assert_allclose(problem.get_val('comp.rank'), [0.5, 0.5])


def test_a_factor_below_zero_is_named_by_its_group():
    comp = PageRankComp(graph=random_graph(), inputs=['weights'], edge_groups={'ring': [1, 2]})
    problem = problem_of(comp, weights=[-1.0])
    with pytest.raises(om.AnalysisError, match=r"factor 0 = -1.0 \(of the edge group 'ring'\)"):
        problem.run_model()


def test_warm_starts_take_fewer_iterations_and_keep_the_tolerance():
    graph = random_graph(n=400, edges=2000)
    taken = {}
    for warm in (True, False):
        comp = PageRankComp(graph=graph, method='power', warm_start=warm, tol=1e-10)
        problem = problem_of(comp)
        problem.run_model()
        problem.set_val('comp.weights', graph.weights * (1 + 1e-6 * np.arange(graph.nnz)))
        problem.run_model()
        taken[warm] = comp._solved.result
    assert taken[True].iterations < 0.7 * taken[False].iterations
    assert np.abs(taken[True].scores - taken[False].scores).sum() <= 2e-10 / (1 - 0.85)


def test_the_error_of_derivatives_goes_with_the_tolerance():
    graph = random_graph(n=200, edges=1000)
    exact = problem_of(PageRankComp(graph=graph, of_nodes=[5]), **values_for(graph))
    exact.run_model()
    reference = partials_of(exact)['rank', 'weights']
    errors = []
    for tol in (1e-4, 1e-6, 1e-8, 1e-10):
        comp = PageRankComp(graph=graph, of_nodes=[5], method='power', tol=tol)
        problem = problem_of(comp, **values_for(graph))
        problem.run_model()
        error = np.abs(partials_of(problem)['rank', 'weights'] - reference).max()
        errors.append(error / np.abs(reference).max())
        assert errors[-1] <= 100 * tol
    assert errors[0] > 100 * errors[-1]


@pytest.mark.parametrize('tol', [1e-6, 1e-10])
def test_tuned_steps_match_the_tolerance_of_the_solver(tol):
    """Rounding of the scores is their tolerance: the step grows with it."""
    graph = random_graph(n=60, edges=240)
    options = {'inputs': ['damping'], 'groups': {'hubs': [1, 2]}, 'method': 'power', 'tol': tol}
    comp = PageRankComp(graph=graph, partials='fd', warm_start=False, **options)
    problem = problem_of(comp, damping=0.7)
    problem.run_model()
    tune_steps(problem, comp, announce=lambda _: None).apply(comp)
    exact = problem_of(
        PageRankComp(graph=graph, inputs=['damping'], groups={'hubs': [1, 2]}), damping=0.7
    )
    exact.run_model()
    reference = partials_of(exact)['hubs', 'damping'].item()
    problem.run_model()
    found = partials_of(problem)['hubs', 'damping'].item()
    assert found == pytest.approx(reference, rel=1e3 * tol ** (2 / 3))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'inputs': ['weight']}, r"inputs = \['weight'\]: must be some of"),
        ({'inputs': 'weights'}, 'must be some of'),
        ({'groups': {'hubs': [1, 99]}}, 'unknown node 99'),
        ({'log': True, 'groups': {'log_a': [1], 'a': [2]}}, "'log_a' is the name of a logarithm"),
        ({'groups': {'rank': [1]}, 'of_nodes': [2]}, "groups: 'rank' is the name of the output"),
        ({'inputs': ['damping'], 'edge_groups': {'a': [1]}}, 'edge_groups are without use'),
        ({'edge_groups': {}}, 'edge_groups is empty'),
        ({'edge_groups': {'a': ('wing', 'fuel')}}, r"edge_groups\['a'\] has 'wing': an edge is"),
        ({'groups': {'hubs': []}}, r"groups\['hubs'\] must name some nodes"),
        ({'fd_steps': {'rank': 1e-3}}, "fd_steps with partials='matrix_free' would not be used"),
        ({'edge_groups': {'g': [10**6]}}, 'there is no edge 1000000'),
        ({'edge_groups': {'g': [1], 'h': [1]}}, "edge 1 .* is in 'g' and again in 'h'"),
        ({'edge_groups': {'g': []}}, "there are no edges in 'g'"),
        ({'edge_groups': [1, 2]}, r'edge_groups has shape \(2,\)'),
        ({'edge_groups': {'g': [(0, 99)]}}, 'unknown node 99'),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        problem_of(PageRankComp(**({'graph': random_graph()} | options)))


@pytest.mark.parametrize(
    ('steps', 'message'),
    [
        ({('rank', 'foo'): 1e-3}, r'for wrt="foo"'),
        ({('foo', 'weights'): 1e-3}, r'for of="foo"'),
        ({'rank': -1e-3}, r"fd_steps\['rank'\]: step -0.001 is not a positive"),
        ({'rank': {'steps': 1e-3}}, 'steps'),
        ({('rank', 'damping', 'x'): 1e-3}, r'must be an output, or \(output, input\)'),
    ],
)
def test_steps_that_would_not_be_taken_are_named(steps, message):
    problem = problem_of(PageRankComp(graph=random_graph(), partials='fd', fd_steps=steps))
    with pytest.raises(ValueError, match=message):
        problem.run_model()


def test_the_logarithm_of_nothing_names_the_node():
    comp = PageRankComp(graph=layers(), personalization={'b': 1.0}, of_nodes=['a', 'd'], log=True)
    with pytest.raises(
        om.AnalysisError, match=r"'comp' <class PageRankComp>: the score of \['a'\] is zero"
    ):
        problem_of(comp).run_model()


def test_a_component_with_differences_is_counted_in_a_driver_run():
    graph = layers()
    problem = om.Problem(reports=False)
    comp = PageRankComp(graph=graph, inputs=['weights'], groups={'ends': ['f']}, partials='fd')
    problem.model.add_subsystem('comp', comp, promotes=['*'])
    problem.model.add_design_var('weights', lower=0.1, upper=2.0)
    problem.model.add_objective('ends', scaler=-1.0)
    problem.driver = om.ScipyOptimizeDriver(optimizer='SLSQP', disp=False)
    problem.setup()
    before = None
    with count_calls(problem) as counts:
        problem.run_model()
        before = problem.get_val('ends').item()
        assert problem.run_driver().success
    assert problem.get_val('ends').item() > before
    counts.verify()


def test_scores_start_from_equal_ones():
    comp = PageRankComp(graph=random_graph(), of_nodes=[1], groups={'two': [2, 3]}, log=True)
    problem = problem_of(comp)
    problem.final_setup()
    assert problem.get_val('comp.two') == pytest.approx(2.0 / 30.0)
    assert problem.get_val('comp.log_rank') == pytest.approx(np.log(1.0 / 30.0))


@pytest.mark.parametrize('before', ['matrix_free', 'dense', 'sparse', 'fd'])
@pytest.mark.parametrize('after', ['matrix_free', 'dense', 'sparse', 'fd'])
def test_partials_may_change_between_setups(before, after, recwarn):
    graph = random_graph(n=10, edges=30)
    comp = PageRankComp(graph=graph, inputs=['weights', 'damping'], partials=before)
    problem = problem_of(comp)
    found = []
    for comp.options['partials'] in (before, after):
        problem.setup(mode='rev')
        problem.set_val('comp.weights', graph.weights + 0.1)
        problem.run_model()
        wrt = ['comp.damping', 'comp.weights']
        found.append(problem.compute_totals(['comp.rank'], wrt, return_format='array'))
    np.testing.assert_allclose(found[0], found[1], atol=1e-7)
    assert not recwarn.list


def test_an_option_that_changes_is_heeded_at_the_same_point():
    comp = PageRankComp(graph=random_graph(n=200, edges=800), method='power', tol=1e-2)
    problem = problem_of(comp)
    problem.run_model()
    assert comp.result.residual > 1e-6
    comp.options['tol'] = 1e-13
    problem.run_model()
    assert comp.result.residual <= 1e-13
