"""Other packages' PageRank, each in the form that is fastest in it; one thread.

A peer has ``load(graph)``, which is not timed, ``prepare(loaded)``, which is what it makes of the
weights, and ``solve(prepared, tol)``, which returns the scores by node. Not installed: None.
"""

import os

import numpy as np
import scipy.sparse as sp

os.environ.setdefault('OMP_NUM_THREADS', '1')

DAMPING = 0.85


def residual(graph, scores):
    """Return the 1-norm of the equation's residual at scores, made to sum to one."""
    x = scores / scores.sum()
    sums = np.bincount(graph.src, graph.weights, graph.n)
    y = np.divide(x, sums, out=np.zeros(graph.n), where=sums > 0)
    passed_on = np.bincount(graph.dst, graph.weights * y[graph.src], graph.n)
    jump = (DAMPING * x[sums == 0].sum() + 1 - DAMPING) / graph.n
    return np.abs(DAMPING * passed_on + jump - x).sum()


class Scipy:
    """Power iteration over a sparse matrix, normalised each time."""

    def load(self, graph):
        """Return the weights as a matrix."""
        return graph.matrix(graph.weights)

    def prepare(self, w):
        """Return the transposed transition matrix, and who is dangling."""
        sums = w @ np.ones(w.shape[0])
        scale = sp.diags_array(np.divide(1, sums, out=np.zeros_like(sums), where=sums > 0))
        return (scale @ w).T.tocsr(), np.flatnonzero(sums == 0)

    def solve(self, prepared, tol):
        """Iterate until the change is at most tol."""
        p, _ = prepared
        n = p.shape[0]
        x = np.full(n, 1 / n)
        while True:
            new = DAMPING * (p @ x)
            new += (1 - new.sum()) / n
            if np.abs(new - x).sum() <= tol:
                return new
            x = new


class GraphBLAS:
    """Power iteration over SuiteSparse:GraphBLAS, as in LAGraph."""

    def __init__(self):
        import graphblas

        graphblas.init('suitesparse', blocking=True)
        graphblas.ss.config['nthreads'] = 1
        self.gb = graphblas

    def load(self, graph):
        """Return the weights as a matrix."""
        return self.gb.Matrix.from_coo(
            graph.src, graph.dst, graph.weights, nrows=graph.n, ncols=graph.n
        )

    def prepare(self, w):
        """Return the transposed transition matrix."""
        gb = self.gb
        scale = w.reduce_rowwise(gb.monoid.plus).apply(gb.unary.minv).new().diag()
        p = gb.semiring.plus_times(scale @ w).new()
        return p.T.new()

    def solve(self, p, tol):
        """Iterate until the change is at most tol."""
        gb, n = self.gb, p.nrows
        x = gb.Vector.from_scalar(1 / n, n)
        while True:
            new = gb.Vector.from_scalar(0.0, n)
            new(gb.binary.plus) << gb.semiring.plus_times(p @ x)
            new << gb.binary.times(new, DAMPING)
            rest = (1 - new.reduce(gb.monoid.plus).value) / n
            new << gb.binary.plus(new, rest)
            change = gb.binary.minus(new & x).new().apply(gb.unary.abs).reduce(gb.monoid.plus)
            if change.value <= tol:
                return new.to_dense()
            x = new


class FastPagerank:
    """The package fast-pagerank, power iteration."""

    def __init__(self):
        from fast_pagerank import pagerank_power

        self._solve = pagerank_power

    def load(self, graph):
        """Return the weights as a matrix."""
        return sp.csr_matrix(graph.matrix(graph.weights))

    def prepare(self, w):
        """Return the same: it prepares in each solve."""
        return w

    def solve(self, w, tol):
        """Call it."""
        return self._solve(w, p=DAMPING, tol=tol)


class NetworKit:
    """NetworKit's power iteration, in the 1-norm."""

    def __init__(self):
        import networkit

        networkit.setNumberOfThreads(1)
        self.nk = networkit

    def load(self, graph):
        """Return its graph."""
        edges = graph.weights, (graph.src.astype(np.uint64), graph.dst.astype(np.uint64))
        return self.nk.GraphFromCoo(edges, n=graph.n, weighted=True, directed=True)

    def prepare(self, loaded):
        """Return the same."""
        return loaded

    def solve(self, loaded, tol):
        """Call it."""
        centrality = self.nk.centrality
        call = centrality.PageRank(
            loaded, DAMPING, tol, False, centrality.SinkHandling.DistributeSinks
        )
        call.norm = centrality.Norm.l1norm
        call.maxIterations = 1000
        return np.array(call.run().scores())


class Igraph:
    """PRPACK, by way of igraph; its tolerance is its own."""

    def __init__(self):
        import igraph

        self.igraph = igraph

    def load(self, graph):
        """Return its graph."""
        loaded = self.igraph.Graph(graph.n, np.stack([graph.src, graph.dst], axis=1), directed=True)
        loaded.es['weight'] = graph.weights
        return loaded

    def prepare(self, loaded):
        """Return the same."""
        return loaded

    def solve(self, loaded, tol):
        """Call it."""
        del tol
        return np.array(loaded.pagerank(damping=DAMPING, weights='weight', implementation='prpack'))


class NetworkX:
    """NetworkX, which goes by way of SciPy."""

    def __init__(self):
        import networkx

        self.nx = networkx

    def load(self, graph):
        """Return its graph."""
        loaded = self.nx.DiGraph()
        loaded.add_nodes_from(range(graph.n))
        ends = graph.src.tolist(), graph.dst.tolist(), graph.weights.tolist()
        loaded.add_weighted_edges_from(zip(*ends, strict=True))
        return loaded

    def prepare(self, loaded):
        """Return the same."""
        return loaded

    def solve(self, loaded, tol):
        """Call it."""
        scores = self.nx.pagerank(loaded, DAMPING, tol=tol / len(loaded), max_iter=1000)
        return np.fromiter(scores.values(), float, len(loaded))


PEERS = {
    'GraphBLAS': GraphBLAS,
    'igraph PRPACK': Igraph,
    'scipy power': Scipy,
    'NetworKit': NetworKit,
    'fast-pagerank': FastPagerank,
    'NetworkX': NetworkX,
}


def made_peers():
    """Return the peers by name; None where one is not installed."""
    made = {}
    for name, make in PEERS.items():
        try:
            made[name] = make()
        except ImportError:
            made[name] = None
    return made
