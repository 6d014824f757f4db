"""What does one call for all points save: compute_batch beside one compute for each point.

RNNComp and PageRankComp are linearized by forward differences in turn, once with their
compute_batch and once by OpenMDAO's own differences, which evaluate point by point. Run it alone:
``python benchmarks/fd_batches.py``.
"""

import numpy as np
import openmdao.api as om

from _peers import compare, main
from mdao_seq import Graph, PageRankComp, PerOutputFD, RNNComp, SequenceModel


def differenced(cls, wrt):
    """Return a class that is differenced by some inputs, as OpenMDAO does it."""

    class Differenced(cls):
        def setup(self):
            super().setup()
            self.matrix_free = False
            self.declare_partials('*', wrt, method='fd', step=1e-6)

    return Differenced


def linearizer(cls, **options):
    """Return a function that linearizes once, at another point each time."""
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', cls(**options))
    problem.setup()
    problem.run_model()
    rng = np.random.default_rng(0)
    name = next(iter(comp._inputs))
    start = problem.get_val(f'comp.{name}').copy()

    def linearize():
        problem.set_val(f'comp.{name}', start * (1.0 + 1e-3 * rng.random(start.shape)))
        problem.run_model()
        comp.run_linearize()

    return linearize


def pair(cls, wrt, **options):
    """Return ours and the peer."""
    stock = differenced(cls, wrt)
    held = type('Held', (PerOutputFD, stock), {})
    return {
        'ours': linearizer(held, **options),
        'peers': {'OpenMDAO FD': linearizer(stock, **options)},
    }


def rows():
    """Yield one row for each component."""
    for cell, seq_len in (('lstm', 100), ('gru', 100)):
        model = SequenceModel(['a', 'b', 'c', 'd'], ['y', 'z'], cell=cell, hidden_size=32, seed=1)
        yield compare(
            case=f'{cell}, {seq_len} steps, {4 * seq_len} points',
            what='jacobian',
            rounds=5,
            **pair(RNNComp, '*', model=model, seq_len=seq_len),
        )
    rng = np.random.default_rng(2)
    for n, edges in ((200, 1000), (20_000, 200_000)):
        graph = Graph.from_edges(rng.integers(n, size=edges), rng.integers(n, size=edges), n=n)
        nodes = list(range(20))
        yield compare(
            case=f'PageRank, {n} nodes, 1 point',
            what='jacobian',
            rounds=5,
            **pair(PageRankComp, 'damping', graph=graph, of_nodes=nodes, method='power'),
        )
        if n < 1000:
            yield compare(
                case=f'PageRank, {n} nodes, {graph.nnz} points',
                what='jacobian',
                rounds=5,
                **pair(PageRankComp, 'weights', graph=graph, of_nodes=nodes, method='power'),
            )


if __name__ == '__main__':
    main(__doc__, rows)
