"""Thin out the traffic through the hubs of a route network, with the least change to its timetable.

A passenger who follows routes at random, each as often as it is served, and starts anew somewhere
with probability 0.15, is at an airport as often as its PageRank says. The largest hubs are to see
less of that: by how much must which routes be served less, or others more?

- The busiest routes into the hubs may change, by a factor each, and the busiest other route from
  each airport where these begin; the others stay.
- What the hubs hold together is at most 95 % of what it is: a constraint on their summed score.
- Flights in total stay the same, and the first hub stays first.
- The timetable changes as little as possible: squares of relative changes, weighted by frequency.

SLSQP solves it, and IPOPT where pyOptSparse has it, with exact totals: one adjoint solve for each
constraint on scores, whatever the number of routes. Writes ``route_network.png``.

Without a file, on a network that is made up here: airports whose sizes fall as in real ones, routes
by a gravity model; or on one from an .npz with n, src, dst, w (frequency) and labels::

    python examples/route_network.py [FILE] [--hubs 8] [--routes 25] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
import openmdao.api as om
from ranking_support import draw_change, drivers, panels

from mdao_seq import Graph, PageRankComp, RankOrderConstraintComp, count_calls

SHARE = 0.95
LEAST, MOST = 0.2, 3.0


def made_up(n=400, degree=12, seed=0):
    """Return a network of `n` airports in a square, with some `degree` routes from each."""
    rng = np.random.default_rng(seed)
    size = rng.permutation(1.0 / np.arange(1, n + 1) ** 0.8)
    place = rng.uniform(size=(n, 2))
    distance = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) + 0.05
    pull = np.outer(size, size) / distance
    np.fill_diagonal(pull, 0.0)
    wanted = np.triu(pull)
    pairs = np.argsort(-wanted, axis=None)[: n * degree // 2]
    src, dst = np.unravel_index(pairs, (n, n))
    flights = np.ceil(40.0 * np.sqrt(wanted[src, dst] / wanted.max()))
    names = np.array([f'A{i:03}' for i in range(n)])
    ends = np.concatenate([src, dst]), np.concatenate([dst, src])
    # Some are served one way only, as on round trips.
    kept = rng.random(2 * src.size) < 0.95
    return Graph.from_edges(
        names[ends[0][kept]], names[ends[1][kept]], np.tile(flights, 2)[kept], labels=names
    )


def published(path):
    """Return the network of a file."""
    with np.load(path) as data:
        ends = data['src'].astype(int), data['dst'].astype(int)
        return Graph.from_edges(*ends, data['w'].astype(float), labels=data['labels'])


def free_routes(graph, hubs, count):
    """Return the numbers of the routes that may change, those into hubs first, and how many.

    These are the `count` most served ones into each hub, and the most served one to another airport
    from each place where one of them begins.
    """
    busiest = np.argsort(-graph.weights, kind='stable')
    busiest = busiest[np.diff(graph.indptr)[graph.src[busiest]] > 1]
    into = [busiest[graph.dst[busiest] == hub][:count] for hub in hubs]
    into = np.concatenate(into)
    others = busiest[
        ~np.isin(graph.dst[busiest], hubs) & np.isin(graph.src[busiest], graph.src[into])
    ]
    _, first = np.unique(graph.src[others], return_index=True)
    return np.concatenate([into, others[np.sort(first)]]), into.size


def design_problem(graph, hubs, routes, into, limit, driver):
    """Return the problem: factors of routes (those into hubs first), share, order, change."""
    problem = om.Problem(reports=False)
    model = problem.model
    walk = PageRankComp(
        graph=graph,
        inputs=['weights'],
        edge_groups={graph.edge_name(e): [int(e)] for e in routes},
        groups={'hub_share': hubs},
        of_nodes=hubs,
        tol=1e-13,
    )
    model.add_subsystem('walk', walk, promotes=['rank', 'hub_share', ('weights', 'factors')])
    order = RankOrderConstraintComp(n=len(hubs), pairs=[(0, None)])
    model.add_subsystem('order', order, promotes=['*'])
    flights = {'val': graph.weights[routes], 'constant': True}
    timetable = om.ExecComp(
        ['change = sum(flights * (factors - 1)**2)', 'added = sum(flights * (factors - 1))'],
        factors=np.ones(routes.size),
        flights=flights,
        do_coloring=False,
    )
    model.add_subsystem('timetable', timetable, promotes=['*'])
    model.add_design_var('factors', lower=LEAST, upper=MOST)
    model.add_constraint('hub_share', upper=limit, ref=limit)
    model.add_constraint('margin', lower=0.0)
    model.add_constraint('added', equals=0.0, ref=graph.weights[routes].sum(), linear=True)
    model.add_objective('change', ref=graph.weights[routes].sum())
    problem.driver = driver
    problem.setup(mode='rev')
    problem.set_val('factors', np.where(np.arange(routes.size) < into, 0.95, 1.05))
    return problem


def run(path=None, hubs=8, routes=25, out='.'):
    """Solve it; return what was found, and write the picture.

    Returns
    -------
    dict
        ``graph``, ``hubs`` and ``routes`` (numbers; the first ``into`` of these end in a hub),
        ``share`` of the hubs before, ``rank`` of each, and by driver ``found``: share, rank,
        factors, change, success, and how often scores and totals were computed.
    """
    graph = made_up() if path is None else published(path)
    base = om.Problem(reports=False)
    base.model.add_subsystem('walk', PageRankComp(graph=graph), promotes=['*'])
    base.setup()
    base.run_model()
    scores = base.get_val('rank')
    first = np.argsort(-scores)[:hubs]
    share = scores[first].sum()
    chosen, into = free_routes(graph, first, routes)
    found = {}
    for name, driver in drivers(tol=1e-10, maxiter=200):
        problem = design_problem(graph, first.tolist(), chosen, into, SHARE * share, driver)
        with count_calls(problem) as calls:
            problem.run_driver()
        found[name] = {
            'share': problem.get_val('hub_share').item(),
            'rank': problem.get_val('rank').copy(),
            'factors': problem.get_val('factors').copy(),
            'change': problem.get_val('change').item(),
            'success': problem.driver.result.success,
            'runs': calls.total('walk'),
            'totals': problem.driver.result.deriv_evals,
        }
    result = {
        'graph': graph,
        'hubs': first,
        'routes': chosen,
        'into': into,
        'share': share,
        'rank': scores[first].copy(),
        'found': found,
    }
    Path(out).mkdir(parents=True, exist_ok=True)
    picture(result, Path(out) / 'route_network.png')
    return result


def picture(result, path):
    """Draw the scores of the hubs, and what becomes of each route into them."""
    graph, hubs, routes = result['graph'], result['hubs'], result['routes']
    found = result['found']['SLSQP']
    figure, (left, right) = panels((11, 4.6), [1, 1.5])
    names = [graph.name(int(hub)) for hub in hubs]
    labels = 'as served', 'with new frequencies'
    draw_change(left, names, result['rank'], found['rank'], labels)
    left.set_title(f'Hubs hold {result["share"]:.1%}, then {found["share"]:.1%}')

    into, factors, flights = result['into'], found['factors'], graph.weights[routes]
    order = np.argsort(factors)
    for is_into, colour, label in (
        (True, '#D55E00', 'into a hub'),
        (False, '#009E73', 'to another airport'),
    ):
        own = order[(order < into) == is_into]
        right.plot(np.linspace(0, 1, own.size), factors[own], color=colour, linewidth=1, zorder=1)
        right.scatter(
            np.linspace(0, 1, own.size),
            factors[own],
            s=4 + 3 * flights[own],
            color=colour,
            alpha=0.6,
            label=label,
        )
    right.axhline(1.0, color='#888', linewidth=0.8)
    right.set_xlabel('share of these routes')
    right.set_ylabel('frequency, relative to before')
    right.set_title(f'{routes.size} routes, large where they are served often')
    right.legend(frameon=False, loc='center left')
    right.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=110)


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('file', nargs='?', help='.npz of a network')
    parser.add_argument('--hubs', type=int, default=8)
    parser.add_argument('--routes', type=int, default=25)
    parser.add_argument('--out', default='.')
    given = parser.parse_args()
    result = run(given.file, given.hubs, given.routes, given.out)
    graph, routes = result['graph'], result['routes']
    print(f'{graph.n} airports, {graph.nnz} routes, {routes.size} of them free')
    print(f'hubs {[graph.name(int(hub)) for hub in result["hubs"]]} hold {result["share"]:.4f}')
    for name, found in result['found'].items():
        print(
            f'{name}: {found["share"]:.4f} (at most {SHARE * result["share"]:.4f}), change '
            f'{found["change"]:.2f}; {found["runs"]} runs, {found["totals"]} totals'
        )
    factors = result['found']['SLSQP']['factors']
    for e in np.argsort(np.abs(factors - 1.0))[::-1][:8]:
        print(f'  {graph.edge_name(int(routes[e])):16} x {factors[e]:.2f}')


if __name__ == '__main__':
    main()
