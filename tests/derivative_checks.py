"""The one helper that every derivative test goes through.

``check_derivatives`` checks a component's partials in three independent ways: against complex
step, by the dot-product test, and against central differences that hold per output
(``PerOutputFD`` on the same class).
"""

import numpy as np
import openmdao.api as om

from mdao_seq import PerOutputFD, fd_cost


def problem_with(comp, values=None, *, seed=0, scale=0.3):
    """Return a problem that holds `comp` as ``comp``, run at seeded inputs.

    Parameters
    ----------
    comp : om.ExplicitComponent
        An instance that is in no problem yet.
    values : dict or None
        Input values by name; the others are their declared value plus `scale` times a seeded
        standard normal.
    """
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp)
    problem.setup(force_alloc_complex=True)
    problem.final_setup()
    rng = np.random.default_rng(seed)
    for name in comp._var_rel_names['input']:
        declared = comp._inputs[name]
        value = declared + scale * rng.standard_normal(declared.shape)
        problem.set_val(f'comp.{name}', (values or {}).get(name, value))
    problem.run_model()
    return problem


def check_derivatives(make, values=None, *, rtol=1e-12, fd_steps=None, fd_rtol=1e-6, seed=0):
    """Check the exact partials of a component.

    Parameters
    ----------
    make : callable
        Returns a new component each time that it is called.
    values : dict or None
        Input values by name (see `problem_with`).
    rtol : float
        Largest error against complex step, relative to the largest entry of each partial.
    fd_steps : dict or None
        Step of the central differences by output; by default 1e-5 for the first, 2e-5 for the
        second and so on, so that the outputs have steps of their own.
    fd_rtol : float
        Largest error against those differences, relative likewise.
    seed : int
        Seeds the inputs and the directions of the dot-product test.
    """
    problem = problem_with(make(), values, seed=seed)
    exact = _check_against_complex_step(problem, rtol)
    _check_dot_products(problem, seed)
    _check_against_per_output_fd(make, problem, exact, fd_steps or {}, fd_rtol)


def partials_of(problem):
    """Return the partials of ``problem.model.comp`` after one linearization, by (of, wrt).

    They are read off forward products, as a linear solver sees them.
    """
    comp = problem.model.comp
    comp.run_linearize()
    result = {}
    for wrt in comp._var_rel_names['input']:
        columns = []
        for element in range(comp._dinputs[wrt].size):
            comp._dinputs.set_val(0.0)
            comp._doutputs.set_val(0.0)
            comp._dinputs[wrt].flat[element] = 1.0
            comp.run_apply_linear('fwd')
            columns.append(comp._dresiduals.asarray(copy=True))
        column = np.array(columns).T
        start = 0
        for of in comp._var_rel_names['output']:
            end = start + comp._dresiduals[of].size
            result[of, wrt] = column[start:end]
            start = end
    return result


def _error(approximate, reference):
    scale = np.max(np.abs(reference), initial=0.0)
    return np.max(np.abs(approximate - reference), initial=0.0) / (scale or 1.0)


def _check_against_complex_step(problem, rtol):
    data = problem.check_partials(method='cs', out_stream=None)['comp']
    exact = {}
    for key, entry in data.items():
        reference = np.asarray(entry['J_fd'])
        reference = reference[0] if reference.ndim == 3 else reference
        for mode in ('J_fwd', 'J_rev'):
            if mode in entry:
                error = _error(np.asarray(entry[mode]), reference)
                assert error <= rtol, f'{key} {mode}: relative error {error:.1e} > {rtol:.0e}'
        exact[key] = np.asarray(entry['J_fwd'])
    assert exact, 'the component has no partials to check'
    return exact


def _check_dot_products(problem, seed):
    """<J v, w> equals <v, J^T w> for random v and w."""
    comp = problem.model.comp
    rng = np.random.default_rng(seed + 1)
    problem.model.run_linearize()
    v = rng.standard_normal(len(comp._dinputs))
    w = rng.standard_normal(len(comp._dresiduals))
    comp._dinputs.set_val(v)
    comp._doutputs.set_val(0.0)
    comp.run_apply_linear('fwd')
    forward = comp._dresiduals.asarray(copy=True)
    comp._dinputs.set_val(0.0)
    comp._doutputs.set_val(0.0)
    comp._dresiduals.set_val(w)
    comp.run_apply_linear('rev')
    reverse = comp._dinputs.asarray(copy=True)
    scale = np.linalg.norm(forward) * np.linalg.norm(w) or 1.0
    assert abs(forward @ w - v @ reverse) <= 1e-12 * scale, 'forward and reverse disagree'


def _check_against_per_output_fd(make, problem, exact, fd_steps, fd_rtol):
    comp = make()
    comp.__class__ = _differenced(type(comp), fd_steps)
    twin = om.Problem(reports=False)
    twin.model.add_subsystem('comp', comp)
    twin.setup()
    for name in {wrt for _, wrt in exact}:
        twin.set_val(f'comp.{name}', problem.get_val(f'comp.{name}'))
    twin.run_model()
    assert fd_cost(comp).total > 0
    differenced = partials_of(twin)
    for key, reference in exact.items():
        error = _error(differenced[key], reference)
        assert error <= fd_rtol, f'{key}: {error:.1e} from PerOutputFD, > {fd_rtol:.0e}'


def _differenced(cls, fd_steps):
    """Return `cls` with every partial by central differences, each output with its own step."""

    class Differenced(PerOutputFD, cls):
        def setup(self):
            super().setup()
            self.matrix_free = False

        def setup_partials(self):
            for place, of in enumerate(self._var_rel_names['output'], start=1):
                step = fd_steps.get(of, 1e-5 * place)
                self.declare_partials(of, '*', method='fd', form='central', step=step)

        def compute_partials(self, inputs, partials, discrete_inputs=None):
            """Leave every partial to the differences."""

    return Differenced
