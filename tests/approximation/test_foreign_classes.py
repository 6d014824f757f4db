"""Classes that were not written for us keep what they had in OpenMDAO, but for their steps."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, fd_cost, hold_declarations


def held(comp):
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp, promotes=['*'])
    hold_declarations(problem)
    problem.setup()
    problem.run_model()
    return problem


class Square(om.ExplicitComponent):
    def setup(self):
        self.add_input('x', 3.0)
        self.add_output('y')
        self.declare_partials('y', 'x')

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'] ** 2


class OtherDefault(Square):
    def declare_partials(self, of, wrt, **options):
        options.setdefault('method', 'fd')
        return super().declare_partials(of, wrt, **options)


class NothingReturned(Square):
    def declare_partials(self, of, wrt, **options):
        super().declare_partials(of, wrt, **{'method': 'fd', **options})


class FewerArguments(Square):
    def declare_partials(self, of, wrt, method='fd', step=None, form=None):
        return super().declare_partials(of, wrt, method=method, step=step, form=form)


@pytest.mark.parametrize('cls', [OtherDefault, NothingReturned, FewerArguments])
def test_overrides_of_declare_partials_are_heard(cls):
    """A bug once: the first gave zero, the others did not set up."""
    problem = held(cls())
    assert problem.compute_totals('y', 'x')['y', 'x'].item() == pytest.approx(6.0, rel=1e-6)
    assert fd_cost(problem.model.comp).total == 1


def test_a_metamodel_that_declares_in_its_setup():
    class Surrogate(om.MetaModelUnStructuredComp):
        def setup(self):
            x = np.linspace(0.0, 4.0, 9)
            self.add_input('x', 3.0, training_data=x)
            self.add_output('y', training_data=x**2, surrogate=om.ResponseSurface())
            super().setup()
            self.declare_partials('y', 'x', method='fd')

    problem = held(Surrogate())
    assert problem.compute_totals('y', 'x')['y', 'x'].item() == pytest.approx(6.0, rel=1e-4)


class Diagonal(om.ExplicitComponent):
    def setup(self):
        self.add_input('x', np.arange(1.0, 5.0))
        self.add_output('y', shape=4)
        self.declare_partials('y', 'x', rows=np.arange(4), cols=np.arange(4))

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'] ** 2


class DiagonalByDifferences(Diagonal):
    names = 'y', 'x'

    def setup(self):
        super().setup()
        self.declare_partials(*self.names, method='fd')


@pytest.mark.parametrize('names', [('y', 'x'), ('y*', 'x'), (['y'], ['x'])])
def test_the_sparsity_of_a_base_class_stays(names):
    comp = DiagonalByDifferences()
    comp.names = names
    problem = held(comp)
    found = problem.compute_totals('y', 'x')['y', 'x']
    np.testing.assert_allclose(found, np.diag([2.0, 4.0, 6.0, 8.0]), rtol=1e-5)
    # Declared in other words it is dense, in OpenMDAO, too.
    assert comp._subjacs_info['comp.y', 'comp.x']['val'].size == (4 if names == ('y', 'x') else 16)


class PartlyInfinite(Square):
    def setup(self):
        self.add_input('x', 3.0)
        self.add_output('y', shape=2)
        self.declare_partials('y', 'x', method='fd')

    def compute(self, inputs, outputs):
        outputs['y'] = [inputs['x'].item() ** 2, np.inf]


def test_an_output_that_is_no_number_has_a_derivative_that_is_none():
    with np.errstate(invalid='ignore'):
        found = held(PartlyInfinite()).compute_totals('y', 'x')['y', 'x'].ravel()
    assert found[0] == pytest.approx(6.0, rel=1e-6)
    assert np.isnan(found[1])

    class Ours(PerOutputFD, PartlyInfinite):
        pass

    with np.errstate(invalid='ignore'), pytest.raises(om.AnalysisError, match='y is not finite'):
        held(Ours()).compute_totals('y', 'x')
