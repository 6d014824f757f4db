"""The contract of every cell in the registry."""

import numpy as np
import pytest

from mdao_seq import SequenceModel
from mdao_seq.sequence.cells import CELLS, make_cell
from tests.sequence.networks import every_cell

SEQ_LEN, BATCH_SIZE, HIDDEN_SIZE = 1, 3, 4


class Case:
    """A cell at a random point, with its slopes there."""

    def __init__(self, name, nonlinearity):
        self.cell = make_cell(name, nonlinearity)
        self.rng = np.random.default_rng(0)
        self.drive, self.recurrent, self.states = self.point()
        _, kept = self.cell.step(self.drive, self.recurrent, self.states)
        slopes = self.cell.slopes(self.over_one_step(kept), self.over_one_step(self.states))
        self.slopes = tuple(slope[0] for slope in slopes)

    def point(self):
        gates = (BATCH_SIZE, self.cell.num_gates, HIDDEN_SIZE)
        normal = self.rng.standard_normal
        states = tuple(normal((BATCH_SIZE, HIDDEN_SIZE)) for _ in range(self.cell.num_states))
        return normal(gates), normal(gates), states

    @staticmethod
    def over_one_step(arrays):
        return tuple(array[np.newaxis] for array in arrays)


def dot(these, others):
    return sum(np.vdot(one, other) for one, other in zip(these, others, strict=True))


def test_registry_knows_cells_by_their_names():
    assert all(cell.name == name for name, cell in CELLS.items())
    assert set(CELLS) >= {'elman', 'gru', 'lstm'}


@every_cell
def test_jvp_is_the_complex_step(cell, nonlinearity):
    case = Case(cell, nonlinearity)
    d_drive, d_recurrent, d_states = case.point()
    changes = case.cell.jvp(case.slopes, d_drive, d_recurrent, d_states)
    h = 1e-30
    moved, _ = case.cell.step(
        case.drive + 1j * h * d_drive,
        case.recurrent + 1j * h * d_recurrent,
        tuple(s + 1j * h * d for s, d in zip(case.states, d_states, strict=True)),
    )
    for change, state in zip(changes, moved, strict=True):
        np.testing.assert_allclose(change, state.imag / h, rtol=0, atol=1e-14)


@every_cell
def test_vjp_is_the_transpose_of_jvp(cell, nonlinearity):
    case = Case(cell, nonlinearity)
    d_drive, d_recurrent, d_states = case.point()
    _, _, states_bar = case.point()
    changes = case.cell.jvp(case.slopes, d_drive, d_recurrent, d_states)
    drive_bar, recurrent_bar, before_bar = case.cell.vjp(case.slopes, states_bar)
    assert drive_bar.shape == recurrent_bar.shape == d_drive.shape
    direct = [np.broadcast_to(bar, d_states[0].shape) for bar in before_bar]
    backward = dot([drive_bar, recurrent_bar, *direct], [d_drive, d_recurrent, *d_states])
    assert dot(changes, states_bar) == pytest.approx(backward, rel=1e-13)


@every_cell
def test_lanes_do_not_touch_one_another(cell, nonlinearity):
    case = Case(cell, nonlinearity)
    together, _ = case.cell.step(case.drive, case.recurrent, case.states)
    for lane in range(BATCH_SIZE):
        one = slice(lane, lane + 1)
        alone, _ = case.cell.step(
            case.drive[one], case.recurrent[one], tuple(s[one] for s in case.states)
        )
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_array_equal(a, b[one])


@every_cell
def test_large_values_do_not_overflow(cell, nonlinearity):
    case = Case(cell, nonlinearity)
    with np.errstate(all='raise', under='ignore'):
        for dtype in (float, complex):
            drive = (1e4 * case.drive).astype(dtype)
            states, _ = case.cell.step(drive, case.recurrent, case.states)
            assert all(np.all(np.isfinite(state)) for state in states)


def test_relu_has_no_slope_where_it_is_zero():
    cell = make_cell('elman', 'relu')
    drive = np.array([-1.0, 0.0, 1.0]).reshape(1, 1, 3)
    states, kept = cell.step(drive, np.zeros_like(drive), (np.zeros((1, 3)),))
    np.testing.assert_array_equal(states[0], [[0.0, 0.0, 1.0]])
    slope = cell.slopes(Case.over_one_step(kept), ())[0]
    np.testing.assert_array_equal(slope.ravel(), [0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ('name', 'nonlinearity', 'message'),
    [
        ('transformer', 'tanh', "cell 'transformer' is not one of 'elman', 'gru', 'lstm'"),
        ('elman', 'sin', "nonlinearity 'sin' of cell 'elman' is not one of 'tanh', 'relu'"),
        ('lstm', 'relu', "nonlinearity 'relu' of cell 'lstm' is not one of 'tanh'"),
    ],
)
def test_unknown_cells_are_refused(name, nonlinearity, message):
    with pytest.raises(ValueError, match=message):
        make_cell(name, nonlinearity)


@pytest.mark.parametrize('cell', ['gru', 'lstm'])
def test_a_time_scale_is_how_long_units_remember(cell):
    """Without inputs and weights, a unit keeps at least the part 1 - 1/time_scale in each step."""
    model = SequenceModel('u', 'y', cell=cell, hidden_size=50, time_scale=40.0)
    no_products = {
        name: 0.0 * weight if name.startswith('weight') else weight
        for name, weight in model.weights.items()
    }
    last_state = model.forward(
        np.zeros((1, 1, 1)), no_products, tuple(np.ones((1, 1, 50)) for _ in model.state_names)
    )
    slopes = last_state.layers[0].steps.slopes
    kept = slopes[2] if cell == 'gru' else slopes[1]
    assert 0.5 <= kept.min() < 0.85 < 0.95 < kept.max() <= 1.0 - 1.0 / 40.0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'time_scale': 2.0}, 'time_scale = 2.0: must be more than 2'),
        ({'time_scale': 9.0, 'cell': 'elman'}, 'elman cell has no gates that remember'),
        ({'time_scale': 9.0, 'bias': False}, 'without biases has nothing to set it by'),
    ],
)
def test_bad_time_scales(options, message):
    with pytest.raises(ValueError, match=message):
        SequenceModel('u', 'y', **options)
