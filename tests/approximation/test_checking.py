"""check_partials on held components: its guard, its options, directional checks."""

import warnings

import numpy as np
import openmdao.api as om
import pytest
from openmdao.utils.om_warnings import OMInvalidCheckDerivativesOptionsWarning

from mdao_seq import tune_steps
from tests.approximation.components import Declared, Held, fd

DECLARED = [fd('y1', 1e-2), fd('y2', 5e-2)]


def build(cls=Held, declared=DECLARED, **check_options):
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', cls(declarations=declared, x=[1.0, 2.0]))
    problem.setup(force_alloc_complex=True)
    if check_options:
        comp.set_check_partial_options('x', **check_options)
    problem.run_model()
    return problem, comp


def guarded(problem, **options):
    """Check, and return how often the guard spoke, and the data."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        data = problem.check_partials(out_stream=None, **options)['comp']
    said = [w for w in caught if w.category is OMInvalidCheckDerivativesOptionsWarning]
    return len(said), data


@pytest.mark.parametrize(('step', 'times'), [(1e-2, 1), (5e-2, 1), (2e-2, 0)])
def test_a_check_by_any_declarations_own_difference_is_told(step, times):
    problem, _ = build()
    assert guarded(problem, method='fd', form='central', step=step)[0] == times


def test_another_order_is_another_difference():
    problem, _ = build(declared=[fd('y1', 1e-2, order=4), fd('y2', 5e-2)])
    assert guarded(problem, method='fd', form='central', step=1e-2)[0] == 0


def test_what_was_replaced_is_no_longer_compared():
    """Neither the step of a declaration that a later one replaces, nor one that was tuned."""
    problem, comp = build(declared=[fd('y*', 1e-2), *DECLARED[1:], fd('y1', 3e-2)])
    assert guarded(problem, method='fd', form='central', step=1e-2)[0] == 0
    table = tune_steps(problem, comp, announce=lambda text: None)
    table.apply(comp)
    assert guarded(problem, method='fd', form='central', step=3e-2)[0] == 0
    tuned = table['y1', 'x'].step
    assert guarded(problem, method='fd', form='central', step=tuned)[0] >= 1


def test_every_declaration_is_checked_at_its_own_step():
    """The error of each is that of its own step, h**2/6 of the third derivative."""
    problem, _ = build()
    _, data = guarded(problem, method='cs')
    x = np.array([1.0, 2.0])
    for of, h, third in (('y1', 1e-2, 6.0), ('y2', 5e-2, np.exp(x))):
        error = np.diag(data[of, 'x']['J_fwd'] - data[of, 'x']['J_fd'])
        np.testing.assert_allclose(error, h**2 / 6 * third, rtol=1e-3)


def test_options_of_the_component_come_before_those_of_the_check():
    """As for a component that is not held: its own step and form, whatever check_partials says."""
    found = []
    for cls in (Held, Declared):
        problem, _ = build(cls, method='fd', form='backward', step=1e-3)
        _, data = guarded(problem, method='fd', form='central', step=1e-1)
        found.append(data['y1', 'x']['J_fd'])
    np.testing.assert_array_equal(*found)
    backward = 3 * np.array([1.0, 4.0]) - 1e-3 * 3 * np.array([1.0, 2.0]) + 1e-6
    np.testing.assert_allclose(np.diag(found[0]), backward, rtol=1e-9)


def test_the_guard_compares_with_the_options_in_force():
    problem, _ = build(method='fd', form='central', step=1e-2)
    assert guarded(problem, method='fd', form='central', step=7e-2)[0] == 1
    problem, _ = build(method='fd', form='central', step=7e-2)
    assert guarded(problem, method='fd', form='central', step=1e-2)[0] == 0


def test_a_directional_check_follows_each_declaration():
    problem, _ = build(directional=True, method='cs')
    _, data = guarded(problem)
    for entry in data.values():
        directional = np.asarray(entry['J_fd'])
        assert directional.size == 2
        np.testing.assert_allclose(entry['J_fwd'].sum(axis=1), directional.ravel(), rtol=1e-2)
