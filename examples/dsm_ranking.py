"""Rank the subsystems of a design structure matrix, and find which interfaces to weaken.

A mark (i, j) says that subsystem i depends on j. Followed at random, dependences lead to where
changes come from: the PageRank of a subsystem says how much of the design hangs on it, directly or
by way of others. If that is too much on too few, some interfaces are to be weakened: standardised,
buffered, given margin. Which?

1. Subsystems are ranked, and one adjoint solve says which interfaces move the first one's score.
2. A driver weakens interfaces, by no more in total than a budget allows, until the three first
   subsystems hold the least share: SLSQP, and IPOPT where pyOptSparse has it, with exact totals.

Writes ``dsm_ranking.png``. Without a file, on a matrix of a modular product that is made up here;
or on a published one, from an .npz with <name>_src, <name>_dst (i, j of each mark) and
<name>_labels::

    python examples/dsm_ranking.py [FILE --matrix NAME] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
import openmdao.api as om
import scipy.sparse as sp
from ranking_support import draw_change, drivers, panels

from mdao_seq import (
    AdjacencyComp,
    DesignStructureAdjacency,
    PageRankComp,
    TopShareComp,
    edge_report,
)

FIRST = 3
BUDGET = 3.0
WEAKEST = 0.2


def made_up(seed=4):
    """Return a matrix of 24 subsystems in four modules with two shared ones, and names."""
    rng = np.random.default_rng(seed)
    modules = ['power', 'structure', 'control', 'cabin']
    names = [f'{module} {k}' for module in modules for k in range(1, 7)]
    module = np.repeat(np.arange(4), 6)
    chance = np.where(module[:, None] == module, 0.45, 0.04)
    chance[:, [0, 6]] += 0.25  # what everything is bolted to, or fed by
    marks = (rng.random((24, 24)) < chance) & ~np.eye(24, dtype=bool)
    return sp.csr_array(marks.astype(float)), names


def published(path, name):
    """Return a matrix of a file, and names."""
    with np.load(path) as data:
        labels = [str(label) for label in data[f'{name}_labels']]
        ends = data[f'{name}_src'].astype(int), data[f'{name}_dst'].astype(int)
    off = ends[0] != ends[1]
    marks = sp.coo_array(
        (np.ones(off.sum()), (ends[0][off], ends[1][off])), shape=[len(labels)] * 2
    )
    # A name that several have gets a number.
    names = [
        x if labels.count(x) == 1 else f'{x} #{labels[:i].count(x) + 1}'
        for i, x in enumerate(labels)
    ]
    return marks, names


def design_problem(adjacency, driver):
    """Return a problem that weakens interfaces within the budget."""
    problem = om.Problem(reports=False)
    model = problem.model
    model.add_subsystem('dsm', AdjacencyComp(adjacency=adjacency), promotes=['*'])
    walk = PageRankComp(graph=adjacency.graph, inputs=['weights'])
    model.add_subsystem('walk', walk, promotes=['*'])
    share = TopShareComp(graph=adjacency.graph, k=FIRST)
    model.add_subsystem('share', share, promotes=['*'])
    cost = om.ExecComp(
        'weakened = sum(full - marks)',
        marks=adjacency.strengths,
        full={'val': adjacency.strengths, 'constant': True},
    )
    model.add_subsystem('cost', cost, promotes=['*'])
    strengths, graph = adjacency.strengths, adjacency.graph
    # What depends on one other subsystem alone follows it however weakly.
    free = np.flatnonzero(np.diff(graph.indptr)[graph.src[adjacency.rows]] > 1)
    lower, upper = WEAKEST * strengths[free], strengths[free]
    model.add_design_var('marks', indices=free, lower=lower, upper=upper)
    model.add_constraint('weakened', upper=BUDGET, linear=True)
    model.add_objective('top_share')
    problem.driver = driver
    problem.setup(mode='rev')
    problem.set_val('marks', upper - 0.5 * BUDGET / free.size, indices=free)
    return problem


def run(path=None, matrix='dieselEngine', out='.'):
    """Rank, report, and weaken; return what was found, and write the picture.

    Returns
    -------
    dict
        ``names``, ``report`` (an `EdgeReport`), ``share`` before, and by driver ``found``: share,
        marks, and how often the model and its totals were computed.
    """
    marks, names = made_up() if path is None else published(path, matrix)
    adjacency = DesignStructureAdjacency(marks, names)
    graph = adjacency.graph
    Path(out).mkdir(parents=True, exist_ok=True)
    weights = adjacency.weights(adjacency.strengths)
    base = om.Problem(reports=False)
    base.model.add_subsystem('walk', PageRankComp(graph=graph, inputs=['weights']), promotes=['*'])
    base.model.add_subsystem('share', TopShareComp(graph=graph, k=FIRST), promotes=['*'])
    base.setup()
    base.set_val('weights', weights)
    base.run_model()
    scores = base.get_val('rank').copy()
    report = edge_report(graph, graph.name(int(np.argmax(scores))), weights=weights)
    found = {}
    for name, driver in drivers(tol=1e-9, maxiter=300):
        problem = design_problem(adjacency, driver)
        problem.run_driver()
        found[name] = {
            'share': problem.get_val('top_share').item(),
            'marks': problem.get_val('marks').copy(),
            'scores': problem.get_val('rank').copy(),
            'runs': problem.driver.result.model_evals,
            'totals': problem.driver.result.deriv_evals,
        }
    result = {
        'adjacency': adjacency,
        'scores': scores,
        'report': report,
        'share': base.get_val('top_share').item(),
        'found': found,
    }
    picture(result, Path(out) / 'dsm_ranking.png')
    return result


def weakened(result, driver='SLSQP', at_least=0.05):
    """Return interfaces that are weakened, as (dependent, on what, to what), most first."""
    adjacency, marks = result['adjacency'], result['found'][driver]['marks']
    graph, lost = adjacency.graph, 1.0 - marks / adjacency.strengths
    edges = adjacency.rows
    return [
        (graph.name(int(graph.src[edges[m]])), graph.name(int(graph.dst[edges[m]])), 1.0 - lost[m])
        for m in np.argsort(-lost)
        if lost[m] >= at_least
    ]


def picture(result, path):
    """Draw the report, and the ranking before and after."""
    graph, before = result['adjacency'].graph, result['scores']
    found = result['found']['SLSQP']
    figure, (left, right) = panels((12, 6), [1.7, 1])
    result['report'].plot(left)
    first = np.argsort(-before)[:12]
    names = [graph.name(int(i)) for i in first]
    labels = 'as designed', 'interfaces weakened'
    draw_change(right, names, before[first], found['scores'][first], labels)
    right.set_title(f'Share of the first {FIRST}: {result["share"]:.1%} to {found["share"]:.1%}')
    figure.savefig(path, dpi=110)


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('file', nargs='?', help='.npz of published matrices')
    parser.add_argument('--matrix', default='dieselEngine')
    parser.add_argument('--out', default='.')
    given = parser.parse_args()
    result = run(given.file, given.matrix, given.out)
    graph, scores = result['adjacency'].graph, result['scores']
    print(f'{graph.n} subsystems, {graph.nnz} interfaces. Most hangs on:')
    for i in np.argsort(-scores)[:5]:
        print(f'  {graph.name(int(i))!s:28} {scores[i]:.4f}')
    print(f'\n{result["report"]}\n')
    print(f'share of the first {FIRST}: {result["share"]:.4f}')
    for name, found in result['found'].items():
        print(
            f'  {name:13} {found["share"]:.4f}  ({found["runs"]} runs of the model, '
            f'{found["totals"]} of its totals)'
        )
    print('weaken:')
    for dependent, on, left in weakened(result):
        print(f'  {dependent} on {on}, to {left:.0%}')


if __name__ == '__main__':
    main()
