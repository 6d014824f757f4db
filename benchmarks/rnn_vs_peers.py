"""How fast are a recurrent network and its products in OpenMDAO, beside JAX and PyTorch.

The same network, float64, as an RNNComp, as an om.JaxExplicitComponent with lax.scan, and as a
torch.nn module in an ExplicitComponent. Each run has a new input; products are of the point of the
run before. OpenMDAO 3.45 compiles the function of a matrix-free JaxExplicitComponent for its
products, but runs it uncompiled: 'JAX' has it compiled by hand as well, 'plain JAX' is as it comes.
Run it alone: ``python benchmarks/rnn_vs_peers.py``.
"""

import numpy as np
import openmdao.api as om

from _peers import compare, main
from mdao_seq import RNNComp, SequenceModel

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = None
try:
    import torch
except ImportError:
    torch = None

# batch_size, seq_len, inputs, hidden_size, outputs
SIZES = {'S1': (1, 100, 4, 32, 2), 'S2': (32, 200, 8, 64, 4), 'S3': (1, 2000, 2, 16, 1)}


def network(cell, size):
    """Return a network of ours; the peers take its weights."""
    _, _, inputs, hidden_size, outputs = size
    names = [f'x{k}' for k in range(inputs)]
    return SequenceModel(
        names, [f'y{k}' for k in range(outputs)], cell=cell, hidden_size=hidden_size
    )


if jax is not None:

    class JaxComp(om.JaxExplicitComponent):
        """The network in JAX; the input weights are multiplied by all time steps at once."""

        def initialize(self):
            """Declare what it is."""
            self.options.declare('model', recordable=False)
            self.options.declare('size')
            self.options.declare('compiled', default=True)

        def setup(self):
            """Declare the variables."""
            batch_size, seq_len, inputs, _, outputs = self.options['size']
            self.add_input('x', shape=(batch_size, seq_len, inputs))
            self.add_output('y', shape=(batch_size, seq_len, outputs))
            self.matrix_free = True
            self._function = self._network
            if self.options['compiled']:
                self._function = jax.jit(self._network)

        def compute_primal(self, x):
            """Run the network."""
            return (self._function(x),)

        def _network(self, x):
            model = self.options['model']
            w = {name: jnp.asarray(value) for name, value in model.weights.items()}
            drive = jnp.swapaxes(x, 0, 1) @ w['weight_ih_l0'].T + w['bias_ih_l0']
            zero = jnp.zeros((x.shape[0], model.hidden_size))
            step = {'lstm': lstm_step, 'gru': gru_step}[model.cell]

            def one(states, driven):
                states = step(driven, states[0] @ w['weight_hh_l0'].T + w['bias_hh_l0'], states)
                return states, states[0]

            _, hidden = jax.lax.scan(one, (zero, zero) if model.cell == 'lstm' else (zero,), drive)
            y = hidden @ w['head_weight'].T + w['head_bias']
            return jnp.swapaxes(y, 0, 1)

    def lstm_step(drive, recurrent, states):
        """Make a step of an LSTM."""
        i, f, g, o = jnp.split(drive + recurrent, 4, axis=1)
        c = jax.nn.sigmoid(f) * states[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def gru_step(drive, recurrent, states):
        """Make a step of a GRU."""
        dr, dz, dn = jnp.split(drive, 3, axis=1)
        rr, rz, rn = jnp.split(recurrent, 3, axis=1)
        z = jax.nn.sigmoid(dz + rz)
        n = jnp.tanh(dn + jax.nn.sigmoid(dr + rr) * rn)
        return (n + z * (states[0] - n),)


class TorchComp(om.ExplicitComponent):
    """The network in PyTorch; it has a reverse product only."""

    def initialize(self):
        """Declare what it is."""
        self.options.declare('model', recordable=False)
        self.options.declare('size')

    def setup(self):
        """Declare the variables, make the module."""
        batch_size, seq_len, inputs, hidden_size, outputs = self.options['size']
        model = self.options['model']
        self.add_input('x', shape=(batch_size, seq_len, inputs))
        self.add_output('y', shape=(batch_size, seq_len, outputs))
        self.matrix_free = True
        kind = {'lstm': torch.nn.LSTM, 'gru': torch.nn.GRU}[model.cell]
        self._layers = kind(inputs, hidden_size, batch_first=True).double()
        self._head = torch.nn.Linear(hidden_size, outputs).double()
        weights = {name: torch.tensor(value) for name, value in model.weights.items()}
        self._head.load_state_dict(
            {'weight': weights.pop('head_weight'), 'bias': weights.pop('head_bias')}
        )
        self._layers.load_state_dict(weights)

    def compute(self, inputs, outputs):
        """Run the network and keep its graph."""
        self._x = torch.tensor(inputs['x'], requires_grad=True)
        self._y = self._head(self._layers(self._x)[0])
        outputs['y'] = self._y.detach().numpy()

    def compute_jacvec_product(self, inputs, d_inputs, d_outputs, mode):
        """Pull back through the graph."""
        if 'x' in d_inputs and 'y' in d_outputs and mode == 'rev':
            bar = torch.tensor(d_outputs['y'])
            (grad,) = torch.autograd.grad(self._y, self._x, bar, retain_graph=True)
            d_inputs['x'] += grad.numpy()


class Side:
    """A component in a problem of its own."""

    def __init__(self, comp, size):
        self._rng = np.random.default_rng(0)
        self._problem = om.Problem(reports=False)
        self._comp = self._problem.model.add_subsystem('rnn', comp, promotes=['*'])
        self._problem.setup()
        self._problem.final_setup()
        model = self._problem.model
        self._sources = {
            name: model.get_source(name) for name in comp._var_rel2meta if name[0] == 'x'
        }
        self._given = [
            [self._rng.standard_normal((*size[:2], size[2])) for _ in range(8)],
            [self._rng.standard_normal((*size[:2], size[4])) for _ in range(8)],
        ]
        self._turn = 0
        self.run()
        self._problem.model.run_linearize()

    def run(self):
        """Run at a new input."""
        self._turn += 1
        self._set(self._problem.model._outputs, self._sources, self._given[0][self._turn % 8])
        self._problem.run_model()

    def outputs(self):
        """Return the outputs at one input, the same for all sides."""
        self._turn = 3
        self.run()
        got = self._problem.model._outputs
        y = [got[name] for name in self._comp._var_rel2meta if name.startswith('y')]
        return y[0] if y[0].ndim == 3 else np.stack(y, axis=-1)

    def product(self, mode):
        """Return a function that applies the derivatives once."""
        model = self._problem.model
        vectors = self._comp._dinputs, self._comp._doutputs
        vector, target = vectors if mode == 'fwd' else vectors[::-1]
        names = {name: name for name in vector}
        given = self._given[mode == 'rev']

        def apply():
            target.set_val(0.0)
            self._set(vector, names, given[self._turn % 8])
            self._comp.run_apply_linear(mode)

        model.run_linearize()
        return apply

    def linearize(self):
        """Run at a new input and linearize there, as before products."""
        self.run()
        self._problem.model.run_linearize()

    @staticmethod
    def _set(vector, names, value):
        for column, name in enumerate(names.values()):
            vector[name] = (
                value if len(names) == 1 and vector[name].ndim == 3 else value[..., column]
            )


def sides_of(cell, size):
    """Return the sides of one network, by name; None: not installed."""
    model = network(cell, size)
    ours = RNNComp(model=model, batch_size=size[0], seq_len=size[1])
    sides = {
        'ours': Side(ours, size),
        'JAX': jax and Side(JaxComp(model=model, size=size), size),
        'plain JAX': jax and Side(JaxComp(model=model, size=size, compiled=False), size),
        'PyTorch': torch and Side(TorchComp(model=model, size=size), size),
    }
    for side in filter(None, sides.values()):
        np.testing.assert_allclose(side.outputs(), sides['ours'].outputs(), atol=1e-12)
    return sides


def timed(case, what, sides, call, prepare=None):
    """Return the rows of what is called of each side."""
    calls = {name: side and call(side) for name, side in sides.items()}
    first = prepare and {name: prepare(side) for name, side in sides.items() if side}
    return compare(case, what, calls.pop('ours'), calls, prepare=first)


def rows():
    """Yield rows of each cell and size."""
    for cell in ('lstm', 'gru'):
        for name, size in SIZES.items():
            case, sides = f'{cell} {name}', sides_of(cell, size)
            yield timed(case, 'run', sides, lambda side: side.run)
            for what, mode in (('vjp', 'rev'), ('jvp', 'fwd')):
                if mode == 'fwd':
                    del sides['PyTorch']
                yield timed(
                    case,
                    what,
                    sides,
                    lambda side, mode=mode: side.product(mode),
                    lambda side: side.linearize,
                )


if __name__ == '__main__':
    main(__doc__, rows)
