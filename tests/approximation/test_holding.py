"""Holding the declarations of classes that cannot be edited."""

import copy
import pickle
import threading

import numpy as np
import openmdao.api as om
import pytest
from openmdao.core.component import Component

from mdao_seq import PerOutputFD, count_calls, fd_cost, hold_all_declarations, hold_declarations
from tests.approximation.components import Declared, Held, fd
from tests.derivative_checks import partials_of

X = 1.3
TWO_STEPS = [fd('y1', 0.01), fd('y2', 0.05)]


class MadeInSetup(om.Group):
    """Its component exists only after setup."""

    def setup(self):
        self.add_subsystem('comp', Declared(declarations=TWO_STEPS))


def nested():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('group', MadeInSetup())
    return problem


def totals(problem):
    return problem.compute_totals(['group.comp.y1', 'group.comp.y2'], ['group.comp.x'])


def test_every_component_below_the_model_is_held():
    problem = nested()
    hold_declarations(problem)
    for _ in range(2):
        with count_calls(problem) as counts:
            problem.setup()
            problem.run_model()
            totals(problem)
        assert counts.total('group.comp', cause='fd') == 4
        counts.verify()
        assert isinstance(problem.model.group.comp, Declared)


def test_other_problems_are_left_alone():
    held, other = nested(), nested()
    hold_declarations(held)
    for problem in (held, other):
        problem.setup()
        problem.final_setup()
    assert fd_cost(held.model.group.comp).total == 4
    assert fd_cost(other.model.group.comp).total == 2


def test_a_group_is_no_problem():
    with pytest.raises(TypeError, match=r'an om\.Problem is needed'):
        hold_declarations(nested().model)


def test_after_setup_it_is_an_error_that_says_so():
    problem = nested()
    problem.setup()
    with pytest.raises(RuntimeError, match=r'before problem\.setup\(\)'):
        hold_declarations(problem)


def test_a_whole_process_and_back():
    stock = Component._setup_procs
    with hold_all_declarations():
        problem = nested()
        problem.setup()
    assert Component._setup_procs is stock
    problem.final_setup()
    assert fd_cost(problem.model.group.comp).total == 4
    later = nested()
    later.setup()
    later.final_setup()
    assert fd_cost(later.model.group.comp).total == 2


def test_blocks_nest():
    with hold_all_declarations():
        with hold_all_declarations():
            pass
        problem = nested()
        problem.setup()
    problem.final_setup()
    assert fd_cost(problem.model.group.comp).total == 4


def test_a_held_component_is_left_alone():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', Held(declarations=TWO_STEPS))
    hold_declarations(problem)
    problem.setup()
    assert type(problem.model.comp) is Held


def test_exec_comp():
    """Its own declare_partials, its own scheme names, and no setup_partials to override."""
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', om.ExecComp(['y1 = x**3', 'y2 = exp(x)'], x=1.3))
    comp.declare_partials('y1', 'x', method='fd', step=0.01, form='central')
    comp.declare_partials('y2', 'x', method='fd', step=0.05, form='central')
    hold_declarations(problem)
    problem.setup()
    problem.run_model()
    assert fd_cost(comp).total == 4
    partials = partials_of(problem)
    assert partials['y1', 'x'] == pytest.approx(3 * 1.3**2 + 0.01**2, rel=1e-9)


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_a_held_component_copies_and_pickles(copied):
    problem = om.Problem(reports=False)
    original = problem.model.add_subsystem('comp', Declared(declarations=TWO_STEPS))
    from mdao_seq.approximation.holding import held_class

    original.__class__ = held_class(Declared)
    twin = copied(original)
    assert isinstance(twin, PerOutputFD)
    other = om.Problem(reports=False)
    other.model.add_subsystem('comp', twin)
    other.setup()
    other.run_model()
    assert fd_cost(twin).total == 4
    assert type(twin).__qualname__ == 'Declared'


class KeepsALock(Declared):
    """It says itself what of it is pickled."""

    def __init__(self, **options):
        super().__init__(**options)
        self.lock = threading.Lock()

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != 'lock'}

    def __setstate__(self, state):
        vars(self).update(state)
        self.lock = threading.Lock()


def test_a_class_that_says_what_is_pickled_is_asked():
    """A bug once: everything was copied, and a lock cannot be."""
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', KeepsALock(declarations=TWO_STEPS))
    hold_declarations(problem)
    problem.setup()
    assert copy.deepcopy(problem.model.comp).lock is not problem.model.comp.lock


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({'step': -1e-3}, 3 * X**2 - 3e-3 * X + 1e-6),
        ({'step': -1e-3, 'form': 'central'}, 3 * X**2 + 1e-6),
        ({'step': -1e-3, 'form': 'backward'}, 3 * X**2 + 3e-3 * X + 1e-6),
        ({'step': 1e-3, 'step_calc': 'rel', 'minimum_step': 0}, None),
        ({'step': np.array(1e-3)}, 3 * X**2 + 3e-3 * X + 1e-6),
        ({'step': 0}, None),
    ],
)
def test_a_class_that_works_without_us_works_held(options, expected):
    """What OpenMDAO gives a meaning to keeps it: negative, zero and size-1 array steps."""
    found = []
    for held in (False, True):
        comp = Declared(declarations=[{'of': 'y1', 'wrt': 'x', 'method': 'fd', **options}])
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('comp', comp)
        if held:
            hold_declarations(problem)
        problem.setup()
        problem.run_model()
        with count_calls(problem) as counts:
            found.append(problem.compute_totals(['comp.y1'], ['comp.x'])['comp.y1', 'comp.x'])
        counts.verify()
    assert found[1] == pytest.approx(found[0], rel=1e-8)
    if expected is not None:
        assert found[1] == pytest.approx(expected, rel=1e-9)
