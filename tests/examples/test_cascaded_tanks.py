"""The Cascaded Tanks example: its story on simulated tanks, and its figure on the real ones."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.shared_data import shared_file

EXAMPLES = Path(__file__).parents[2] / 'examples'
if str(EXAMPLES) not in sys.path:  # as `python examples/cascaded_tanks.py` has it
    sys.path.insert(0, str(EXAMPLES))

import cascaded_tanks  # noqa: E402


def simulated_tanks(pump):
    """Return the level of the second of two tanks that overflow at 10 V, in steps of 4 s."""
    upper, lower, levels = 4.0, 4.0, []
    for voltage in pump:
        out_of_upper, out_of_lower = 0.06 * np.sqrt(upper), 0.07 * np.sqrt(lower)
        upper = min(upper + 4.0 * (0.04 * voltage - out_of_upper), 10.0)
        lower = min(lower + 4.0 * (out_of_upper - out_of_lower), 10.0)
        upper, lower = max(upper, 0.0), max(lower, 0.0)
        levels.append(lower)
    return np.array(levels)


def test_the_whole_story_on_simulated_tanks(tmp_path, capsys):
    rng = np.random.default_rng(0)
    columns = {}
    for kind in ('Est', 'Val'):
        pump = np.repeat(rng.uniform(1.0, 6.0, 20), 20)
        columns[f'u{kind}'], columns[f'y{kind}'] = pump, simulated_tanks(pump)
    path = tmp_path / 'tanks.csv'
    header = ','.join(columns)
    np.savetxt(
        path, np.stack(list(columns.values()), axis=1), delimiter=',', header=header, comments=''
    )
    arguments = [str(path), '--seeds', '2', '--epochs', '40', '--out', str(tmp_path / 'out')]
    error = cascaded_tanks.main(arguments)
    assert error < 0.5 * columns['yVal'].std()
    assert (tmp_path / 'out' / 'cascaded_tanks.png').stat().st_size > 10_000
    told = capsys.readouterr().out
    assert 'Chosen: ' in told and f'here   {error:.3f} V' in told


def test_absent_data_are_an_error_that_says_where_they_are(capsys):
    with pytest.raises(SystemExit):
        cascaded_tanks.main(['nowhere.csv'])
    assert 'nonlinearbenchmark.org' in capsys.readouterr().err


@pytest.mark.slow
def test_the_real_tanks_are_predicted_to_0_4_volts(tmp_path):
    """Better than the best published recurrent network, with fewer seeds than the example takes."""
    path = shared_file('cascaded_tanks.csv')
    assert cascaded_tanks.main([str(path), '--seeds', '4', '--out', str(tmp_path)]) <= 0.40


def test_only_the_training_columns_are_used_for_training(tmp_path, monkeypatch):
    """The ensemble is the same whatever the test columns hold."""
    path = shared_file('cascaded_tanks.csv')
    rows = np.genfromtxt(path, delimiter=',', names=True)
    spoiled = tmp_path / 'spoiled.csv'
    table = np.stack([rows['uEst'], 0.0 * rows['uVal'], rows['yEst'], 0.0 * rows['yVal']], axis=1)
    np.savetxt(
        spoiled, table, delimiter=',', header='uEst,uVal,yEst,yVal', comments='', fmt='%.17g'
    )
    candidates = dict(list(cascaded_tanks.CANDIDATES.items())[-1:])
    monkeypatch.setattr(cascaded_tanks, 'CANDIDATES', candidates)
    one, other = (cascaded_tanks.identify(each, range(2), epochs=5) for each in (path, spoiled))
    for a, b in zip(one, other, strict=True):
        for name, weight in a.weights.items():
            np.testing.assert_array_equal(weight, b.weights[name])
