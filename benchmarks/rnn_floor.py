"""How close is a run of a recurrent network to its matrix products and tanh alone.

The floor is what cannot be left out: the products of the state with W_hh, one after the other, and
a tanh for each gate (and for the LSTM's cell state), compiled as those of the network are.
``python benchmarks/rnn_floor.py``; it needs numba.
"""

import numpy as np

import rnn_vs_peers
from _peers import compare, main
from mdao_seq._compiling import compiled
from mdao_seq.sequence.engines.compiled.arithmetic import set_product, tanh


@compiled
def floor(hidden, weight, values, product, results):
    """Make the products of all time steps, and the tanh of all values."""
    for t in range(len(hidden)):
        set_product(product, hidden, t, weight)
        for k in range(values.shape[1]):
            results[t, k] = tanh(values[t, k])


def floor_of(cell, size):
    """Return a function that does what a run of this network cannot do without."""
    batch_size, seq_len, _, hidden_size, _ = size
    gates, curves = {'lstm': (4, 5), 'gru': (3, 3)}[cell]
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((seq_len, batch_size, hidden_size))
    weight = rng.standard_normal((hidden_size, gates * hidden_size))
    values = rng.standard_normal((seq_len, batch_size * curves * hidden_size))
    product, results = np.empty((batch_size, weight.shape[1])), np.empty_like(values)
    return lambda: floor(hidden, weight, values, product, results)


def rows():
    """Yield rows of each cell and size: the network alone, without OpenMDAO."""
    for cell in ('lstm', 'gru'):
        for name, size in rnn_vs_peers.SIZES.items():
            model = rnn_vs_peers.network(cell, size)
            x = np.random.default_rng(0).standard_normal(size[:3])
            yield compare(
                f'{cell} {name}',
                'run',
                lambda model=model, x=x: model.forward(x),
                {'floor': floor_of(cell, size)},
            )


if __name__ == '__main__':
    main(__doc__, rows)
