"""How fast is the whole Jacobian of a recurrent network in OpenMDAO, and how much memory it takes.

2000 time steps, 2 inputs, 16 hidden units, 1 output: an RNNComp with partials='sparse' fills in the
4 million causal entries; in one block for all time ('direct'), as it chooses by itself otherwise;
JAX (jax.jacrev through lax.scan) the 8 million of the dense matrix. Memory is the largest of a
process of its own, less that of one that only imports. ``python benchmarks/rnn_jacobian.py``.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import openmdao.api as om

import rnn_vs_peers
from _peers import compare, main
from mdao_seq import RNNComp
from mdao_seq.sequence.jacobian import causal

SIZE = rnn_vs_peers.SIZES['S3']


class Ours:
    """An RNNComp at new inputs."""

    def __init__(self, cell):
        self._rng = np.random.default_rng(0)
        self._problem = om.Problem(reports=False)
        comp = RNNComp(model=rnn_vs_peers.network(cell, SIZE), seq_len=SIZE[1], partials='sparse')
        self._problem.model.add_subsystem('rnn', comp, promotes=['*'])
        self._problem.setup()
        self.run()

    def run(self):
        """Run at a new input."""
        for name in ('x0', 'x1'):
            self._problem.set_val(name, self._rng.standard_normal(SIZE[:2]))
        self._problem.run_model()

    def linearize(self):
        """Fill in the Jacobian."""
        self._problem.model.run_linearize()

    def linearize_in_one_block(self):
        """Fill it in by direct accumulation."""
        chosen = causal.cheapest_length
        causal.cheapest_length = lambda *_: SIZE[1]
        try:
            self.linearize()
        finally:
            causal.cheapest_length = chosen


def jax_side(cell):
    """Return a function that computes the dense Jacobian by JAX; None without it."""
    jax = rnn_vs_peers.jax
    if jax is None:
        return None
    jax.config.update('jax_enable_x64', True)
    comp = rnn_vs_peers.JaxComp(model=rnn_vs_peers.network(cell, SIZE), size=SIZE)
    jacobian = jax.jit(jax.jacrev(comp._network))
    rng = np.random.default_rng(0)

    def run():
        x = rng.standard_normal((*SIZE[:2], SIZE[2]))
        return np.asarray(jacobian(x).block_until_ready())

    return run


def memory(what, cell):
    """Return the largest memory of a process that computes one Jacobian, MB beyond importing."""
    peaks = []
    for asked in (what, 'nothing'):
        command = [sys.executable, __file__, 'memory', asked, cell]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(told.stdout))
    return peaks[0] - peaks[1]


def report_memory(what, cell):
    """Compute one Jacobian and print the largest memory of this process, MB."""
    if what == 'ours':
        side = Ours(cell)
        side.linearize()
    elif what == 'JAX':
        jax_side(cell)()
    # Not what getrusage tells, which a process takes over from the one that started it.
    status = Path('/proc/self/status').read_text()
    peak = next(line for line in status.splitlines() if line.startswith('VmHWM'))
    print(int(peak.split()[1]) / 1024.0)


def rows():
    """Yield rows of each cell."""
    for cell in ('lstm', 'gru'):
        ours, by_jax = Ours(cell), jax_side(cell)
        case = f'{cell} S3'
        turns = {'ours': ours.run, 'direct': ours.run, 'JAX': lambda: None}
        yield compare(
            case,
            'jacobian',
            ours.linearize,
            {'direct': ours.linearize_in_one_block, 'JAX': by_jax},
            rounds=5,
            prepare=turns,
        )
        mine = memory('ours', cell)
        theirs = by_jax and memory('JAX', cell)
        yield [
            {
                'case': case,
                'what': 'memory',
                'ours': mine,
                'peer': 'JAX',
                'peer_value': theirs,
                'unit': 'MB',
                'ratio': theirs and theirs / mine,
            }
        ]


if __name__ == '__main__':
    if sys.argv[1:2] == ['memory']:
        report_memory(*sys.argv[2:])
    else:
        main(__doc__, rows)
