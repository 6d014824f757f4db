"""How fast is PageRank in memory, beside its peers, at the same residual.

Weighted graphs, damping 0.85, one thread for each peer. Ours uses two threads on large components,
and gives the same scores to the last bit each time. Each peer's tolerance is tightened until the
1-norm of the residual, which is computed here for all, is at most 1e-10; one that does not come
there is named with what it reaches. Graphs are loaded beforehand. ``solve``: all is prepared.
``cold``: with what is prepared for a pattern and its weights. ``resolve``: weights that differ by
1 %, from the scores before, beside a first solve. ``adjoint``: a reverse product with the
derivatives of all edges, beside a solve. ``4 at once``: personalizations in one call.
"""

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from _pagerank_peers import DAMPING, made_peers, residual
from _peers import compare, main
from mdao_seq import Graph, pagerank
from mdao_seq.graph.sensitivity import linearize

TOL = 1e-10
# NetworkX's graphs take too long to load beyond this.
FEW_EDGES = 1_000_000
SHARED = Path(os.environ.get('MDAO_SEQ_DATA', Path(__file__).parents[2] / 'shared/data'))


def rmat(scale, factor=16, seed=0):
    """Return a graph of 2^scale nodes by R-MAT, with the parameters of Graph500."""
    rng = np.random.default_rng(seed)
    edges = factor << scale
    src, dst = np.zeros(edges, np.int64), np.zeros(edges, np.int64)
    for _ in range(scale):
        u = rng.random(edges)
        src = (src << 1) | (u >= 0.76)
        dst = (dst << 1) | (((u >= 0.57) & (u < 0.76)) | (u >= 0.95))
    numbers = rng.permutation(1 << scale)
    weights = rng.uniform(0.1, 1.1, edges)
    return Graph.from_edges(numbers[src], numbers[dst], weights, n=1 << scale)


def layered(n, edges, seed=0):
    """Return a graph without cycles: 100 layers, edges from each to the next three."""
    rng = np.random.default_rng(seed)
    size = n // 100
    src = rng.integers(0, 97 * size, edges)
    dst = (src // size + rng.integers(1, 4, edges)) * size + rng.integers(0, size, edges)
    numbers = rng.permutation(n)
    return Graph.from_edges(numbers[src], numbers[dst], rng.uniform(0.1, 1.1, edges), n=n)


def shared(name):
    """Return a graph of the shared data, with random weights where it has none."""
    with np.load(SHARED / f'{name}.npz') as data:
        rng = np.random.default_rng(0)
        weights = data['w'] if 'w' in data else rng.uniform(0.1, 1.1, data['src'].size)
        ends = data['src'].astype(np.int64), data['dst'].astype(np.int64)
        return Graph.from_edges(*ends, weights, n=int(data['n']))


def graphs(scale):
    """Yield names and graphs."""
    yield f'R-MAT {scale}', rmat(scale)
    n = 1_000_000 >> (20 - scale)
    yield f'layered DAG {n}', layered(n, 10 * n)
    for name in ('soc_epinions1', 'cit_hepth', 'wiki_vote', 'p2p_gnutella31', 'openflights_routes'):
        if (SHARED / f'{name}.npz').exists():
            yield name, shared(name)
        else:
            print(f'{name}: not there')


def fresh(graph):
    """Return the same graph with nothing prepared."""
    return Graph(graph.n, graph.indptr, graph.dst, graph.weights, graph.edge_map, None)


def cold(graph):
    """Solve with nothing prepared."""
    pagerank(fresh(graph), tol=TOL)


def tolerance(peer, prepared, graph):
    """Return the tolerance with which a peer reaches TOL, and the residual that it reaches."""
    reached = np.inf
    for tol in TOL * np.array([1.0, 0.5, 0.1, 1e-2, 1e-3]):
        new = residual(graph, peer.solve(prepared, tol))
        if new <= TOL or new >= reached:
            return tol, min(new, reached)
        reached = new
    return tol, reached


def peak_memory(graph):
    """Return the bytes that a first solve needs at most, beside the graph; None: not known.

    In a process of its own, where nothing that was freed before can be used again.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'graph.npz')
        np.savez(file, indptr=graph.indptr, dst=graph.dst, weights=graph.weights)
        done = subprocess.run(
            [sys.executable, __file__, '--peak', file], capture_output=True, text=True, check=True
        )
    return None if done.stdout.strip() == 'None' else int(done.stdout)


def own_peak(file):
    """Print what `peak_memory` returns, for the graph of a file."""
    with np.load(file) as data:
        arrays = [data[name] for name in ('indptr', 'dst', 'weights')]
    graph = Graph(arrays[0].size - 1, *arrays, np.empty(0, arrays[1].dtype), None)
    # What is compiled or loaded once does not count.
    cold(layered(1000, 400_000))
    cold(rmat(15))
    gc.collect()
    try:
        Path('/proc/self/clear_refs').write_text('5')
    except OSError:
        print(None)
        return
    before = _status('VmRSS')
    cold(graph)
    print(_status('VmHWM') - before)


def _status(name):
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def gather_floor(graph):
    """Return the seconds that reading a vector over nodes at the source of every edge takes."""
    x, out = np.ones(graph.n), np.empty(graph.nnz)
    times = []
    for _ in range(5):
        start = perf_counter()
        np.take(x, graph.dst, out=out, mode='clip')
        times.append(perf_counter() - start)
    return min(times)


def describe(name, graph):
    """Print what a solve does."""
    memory = peak_memory(graph)
    found = pagerank(graph, tol=TOL)
    print(
        f'{name}: {graph.n} nodes, {graph.nnz} edges; {found.method}, {found.iterations} sweeps, '
        f'{found.passes} passes, residual {residual(graph, found.scores):.1e}; '
        + (f'at most {memory / graph.nnz:.1f} bytes an edge; ' if memory else '')
        + f'{1e3 * gather_floor(graph):.1f} ms to gather for all edges once'
    )


def rows(scale):
    """Yield rows of each graph."""
    peers = made_peers()
    for name, graph in graphs(scale):
        describe(name, graph)
        gc.freeze()
        rounds = 3 if graph.nnz > 5_000_000 else 9
        yield from against_peers(name, graph, peers, rounds)
        yield from against_ourselves(name, graph, rounds)


def against_peers(name, graph, peers, rounds):
    """Yield rows of a solve, and of one with all that is prepared for it."""
    solves, colds = {}, {}
    for peer_name, peer in peers.items():
        solves[peer_name] = colds[peer_name] = None
        if peer is None or (peer_name == 'NetworkX' and graph.nnz > FEW_EDGES):
            continue
        loaded = peer.load(graph)
        prepared = peer.prepare(loaded)
        tol, reached = tolerance(peer, prepared, graph)
        if reached > TOL:
            print(f'  {peer_name} reaches {reached:.1e}')
        solves[peer_name] = lambda p=peer, x=prepared, t=tol: p.solve(x, t)
        colds[peer_name] = lambda p=peer, x=loaded, t=tol: p.solve(p.prepare(x), t)
    yield compare(name, 'solve', partial(pagerank, graph, tol=TOL), solves, rounds=rounds)
    yield compare(name, 'cold', partial(cold, graph), colds, rounds=rounds)


def against_ourselves(name, graph, rounds):
    """Yield rows of what follows a first solve, beside solves."""
    rng = np.random.default_rng(0)
    scores = pagerank(graph, tol=TOL).scores
    weights = [graph.weights * rng.uniform(0.99, 1.01, graph.nnz) for _ in range(2)]
    turn = iter(range(10**9))

    def solve(start=None):
        return pagerank(graph, tol=TOL, weights=weights[next(turn) % 2], warm_start=start)

    first = {'a first solve': partial(cold, graph)}
    yield compare(name, 'resolve', lambda: solve(scores), first, rounds=rounds)
    at = linearize(graph, DAMPING, tol=TOL, weights=weights[0])
    bar = rng.standard_normal(graph.n)
    at.vjp(bar)
    solves = {'a solve': partial(pagerank, graph, tol=TOL), 'a solve, new weights': solve}
    yield compare(name, 'adjoint', lambda: at.vjp(bar), solves, rounds=rounds)
    for count in (4, 16):
        several = rng.uniform(0.0, 1.0, (count, graph.n))
        alone = {'one by one': lambda each=several: [pagerank(graph, DAMPING, p) for p in each]}
        together = partial(pagerank, graph, DAMPING, several)
        yield compare(name, f'{count} at once', together, alone, rounds=min(rounds, 3))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--scale', type=int, default=20)
    parser.add_argument('--peak', help=argparse.SUPPRESS)
    chosen, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    if chosen.peak:
        own_peak(chosen.peak)
    else:
        main(__doc__, lambda: rows(chosen.scale))
