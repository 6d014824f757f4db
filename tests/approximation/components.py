"""Components of the tests: they count their own calls, which is the reference for every count."""

import numpy as np
import openmdao.api as om

from mdao_seq import PerOutputFD


class Declared(om.ExplicitComponent):
    """y1 = x**3, y2 = exp(x), with the declarations that are passed in.

    Parameters
    ----------
    declarations : list of dict
        Keyword arguments of declare_partials.
    x : array_like
        Initial input; the outputs have its shape.
    """

    def initialize(self):
        self.options.declare('declarations', default=[])
        self.options.declare('x', default=1.3)
        self.evaluated_at = []

    def setup(self):
        x = np.asarray(self.options['x'], dtype=float)
        self.add_input('x', val=x, units='m')
        self.add_output('y1', shape=x.shape or (1,), ref=10.0)
        self.add_output('y2', shape=x.shape or (1,))

    def setup_partials(self):
        for declaration in self.options['declarations']:
            self.declare_partials(**declaration)

    def compute(self, inputs, outputs):
        self.evaluated_at.append(inputs['x'].copy())
        outputs['y1'] = inputs['x'] ** 3
        outputs['y2'] = np.exp(inputs['x'])

    @property
    def calls(self):
        return len(self.evaluated_at)


class Held(PerOutputFD, Declared):
    """The same, held."""


class Banded(om.ExplicitComponent):
    """y1 depends on neighbouring elements of x, y2 on one element of z each."""

    def initialize(self):
        self.options.declare('declarations')
        self.options.declare('coloring', default=None)
        self.calls = 0

    def setup(self):
        x = np.linspace(0.5, 2.0, 8)
        self.add_input('x', val=x)
        self.add_input('z', val=x[::-1])
        self.add_output('y1', shape=8)
        self.add_output('y2', shape=8)

    def setup_partials(self):
        for declaration in self.options['declarations']:
            self.declare_partials(**declaration)
        if self.options['coloring'] is not None:
            self.declare_coloring(show_summary=False, **self.options['coloring'])

    def compute(self, inputs, outputs):
        self.calls += 1
        x, z = inputs['x'], inputs['z']
        outputs['y1'] = x**3 + np.roll(x, 1) * z
        outputs['y2'] = np.exp(z)


class HeldBanded(PerOutputFD, Banded):
    """The same, held."""


def fd(of, step, wrt='x', form='central', **options):
    """Keyword arguments of a finite-difference declaration."""
    return {'of': of, 'wrt': wrt, 'method': 'fd', 'step': step, 'form': form, **options}


BANDED = [
    fd('y1', 0.01, wrt='x'),
    fd('y1', 0.02, wrt='z', form='forward'),
    fd('y2', 0.05, wrt='z'),
]


def problem_of(comp, **setup):
    """Return a problem that holds `comp` and has run once; the calls so far are forgotten."""
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp)
    problem.setup(**setup)
    problem.run_model()
    if hasattr(comp, 'evaluated_at'):
        comp.evaluated_at.clear()
    return problem
