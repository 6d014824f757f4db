"""Small networks and data that several tests use."""

import numpy as np
import pytest

from mdao_seq import SequenceModel, Signal
from mdao_seq.sequence.cells import CELLS
from mdao_seq.sequence.normalization import Normalization

EVERY_CELL = [
    (name, nonlinearity) for name, cell in CELLS.items() for nonlinearity in cell.nonlinearities
]
every_cell = pytest.mark.parametrize(('cell', 'nonlinearity'), EVERY_CELL)


def small_model(cell='lstm', nonlinearity='tanh', *, num_layers=2, seed=3, **options):
    """Return a network of two sequences and a static input to two outputs, normalised."""
    model = SequenceModel(
        inputs=[Signal('speed', units='rpm'), Signal('valve')],
        static_inputs=[Signal('demand', units='m**3/s', desc='drawn all day')],
        outputs=[Signal('level', units='m'), Signal('power', units='kW')],
        cell=cell,
        hidden_size=5,
        num_layers=num_layers,
        nonlinearity=nonlinearity,
        seed=seed,
        **options,
    )
    model.input_normalization = Normalization(np.array([1.0, -0.5, 2.0]), np.array([0.5, 2.0, 3.0]))
    model.output_normalization = Normalization(np.array([3.0, 50.0]), np.array([0.7, 40.0]))
    return model


def tank_data(count=60, seq_len=20, seed=0):
    """Return inputs and outputs of a leaking tank, filled by a pump against a constant demand."""
    rng = np.random.default_rng(seed)
    pump = rng.uniform(0.0, 1.0, (count, seq_len))
    demand = rng.uniform(0.2, 0.6, count)
    level = np.empty((count, seq_len))
    now = np.full(count, 5.0)
    for t in range(seq_len):
        now = now + 0.8 * pump[:, t] - demand - 0.05 * (now - 5.0)
        level[:, t] = now
    return {'pump': pump, 'demand': demand}, {'level': level}


def tank_model(cell='gru', hidden_size=12, seed=1):
    """Return an untrained network for `tank_data`."""
    return SequenceModel('pump', 'level', 'demand', cell=cell, hidden_size=hidden_size, seed=seed)
