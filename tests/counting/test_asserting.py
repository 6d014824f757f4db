"""assert_call_counts, and counts for other programs."""

import csv
import json

import openmdao.api as om
import pytest

from mdao_seq import CallCountRecorder, assert_call_counts, count_calls
from tests.counting.test_counter import held_problem


@pytest.fixture
def problem():
    problem = held_problem()
    problem.add_recorder(CallCountRecorder('calls.db'))
    problem.setup()
    problem.run_model()
    problem.compute_totals()
    return problem


def test_expected_counts_pass(problem):
    assert_call_counts(problem, {'comp': 5, ('comp', 'run'): 1, ('*', 'fd'): 4})
    with count_calls(problem) as counts:
        problem.run_model()
    assert_call_counts(counts, {'comp': 1})


def test_all_that_differ_are_told_with_the_table(problem):
    with pytest.raises(AssertionError) as told:
        assert_call_counts(problem, {'comp': 6, ('comp', 'run'): 2, ('comp', 'fd'): 4})
    message = str(told.value)
    assert 'comp: 5 evaluations, 6 expected' in message
    assert 'comp: 1 evaluations for run, 2 expected' in message
    assert 'for fd' not in message
    assert 'd(y1)/d(x) central order 2, step 0.01' in message


def test_what_counts_nothing_is_refused(problem):
    with pytest.raises(TypeError, match='add a CallCountRecorder'):
        assert_call_counts(om.Problem(), {})
    with pytest.raises(TypeError, match='a problem, a CallCountRecorder or counts'):
        assert_call_counts({'comp': 1}, {})
    with pytest.raises(KeyError, match='no counted component'):
        assert_call_counts(problem, {'wing': 1})


def test_counts_for_other_programs(problem, tmp_path):
    with count_calls(problem) as counts:
        problem.compute_totals()
    plain = json.loads(json.dumps(counts.to_dict()))
    assert plain['linearizations'] == {'comp': 1}
    assert sum(row['evaluations'] for row in plain['rows']) == 4
    counts.to_csv(tmp_path / 'counts.csv')
    with open(tmp_path / 'counts.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['evaluations'] for row in rows] == ['2', '2']
    assert {row['declaration'] for row in rows} == set(counts.measured('comp'))
