"""The one helper that every derivative test goes through.

``check_derivatives`` checks a component's partials in three independent ways: against complex
step, by the dot-product test, and against central differences that hold per output
(``PerOutputFD`` on the same class).
"""

import numpy as np
import openmdao.api as om

from mdao_seq import PerOutputFD


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
    for name, meta in comp.list_vars(
        is_input=True, is_output=False, out_stream=None, return_format='dict'
    ).items():
        default = np.asarray(meta['val'])
        noise = scale * rng.standard_normal(default.shape)
        value = (values or {}).get(name.rsplit('.', 1)[-1], default + noise)
        problem.set_val(f'comp.{name.rsplit(".", 1)[-1]}', value)
    problem.run_model()
    return problem


def check_derivatives(make, values=None, *, rtol=1e-12, fd_steps=None, fd_rtol=1e-6, seed=0):
    """Check the exact partials of a component.

    Parameters
    ----------
    make : callable
        ``make(cls=None)`` is not needed: a function of no arguments that returns a new component.
    values : dict or None
        Input values by name (see `problem_with`).
    rtol : float
        Largest error against complex step, relative to the largest entry of each partial.
    fd_steps : dict or None
        Step of the central differences by output name (default 1e-5 times the output's place, so
        that the outputs have different steps).
    fd_rtol : float
        Largest error against those differences, relative likewise.
    """
    problem = problem_with(make(), values, seed=seed)
    exact = _check_against_complex_step(problem, rtol)
    _check_dot_products(problem, seed)
    _check_against_per_output_fd(make, problem, exact, fd_steps or {}, fd_rtol)


def _error(approximate, reference):
    scale = np.max(np.abs(reference), initial=0.0)
    return np.max(np.abs(approximate - reference), initial=0.0) / (scale or 1.0)


def _check_against_complex_step(problem, rtol):
    data = problem.check_partials(method='cs', out_stream=None)['comp']
    exact = {}
    for key, entry in data.items():
        reference = np.asarray(entry['J_fd'])
        for mode in ('J_fwd', 'J_rev'):
            if mode in entry:
                error = _error(np.asarray(entry[mode]), reference)
                assert error <= rtol, f'{key} {mode}: relative error {error:.1e} > {rtol:.0e}'
        exact[key] = np.asarray(entry['J_fwd'])
    assert exact, 'the component has no partials to check'
    return exact


def _check_dot_products(problem, seed):
    """<J v, w> equals <v, J^T w> for random v and w."""
    model, comp = problem.model, problem.model.comp
    rng = np.random.default_rng(seed + 1)
    model.run_linearize()
    d_inputs, d_residuals = comp._dinputs, comp._dresiduals
    v = rng.standard_normal(len(d_inputs))
    w = rng.standard_normal(len(d_residuals))
    d_inputs.set_val(v)
    comp._doutputs.set_val(0.0)
    comp.run_apply_linear('fwd')
    forward = d_residuals.asarray(copy=True)
    d_inputs.set_val(0.0)
    comp._doutputs.set_val(0.0)
    d_residuals.set_val(w)
    comp.run_apply_linear('rev')
    reverse = d_inputs.asarray(copy=True)
    scale = np.linalg.norm(forward) * np.linalg.norm(w) or 1.0
    assert abs(forward @ w - v @ reverse) <= 1e-12 * scale, 'forward and reverse disagree'


def _check_against_per_output_fd(make, problem, exact, fd_steps, fd_rtol):
    comp = make()
    comp.__class__ = _differenced(type(comp), fd_steps)
    twin = om.Problem(reports=False)
    twin.model.add_subsystem('comp', comp)
    twin.setup(force_alloc_complex=True)
    for name in {wrt for _, wrt in exact}:
        twin.set_val(f'comp.{name}', problem.get_val(f'comp.{name}'))
    twin.run_model()
    twin.model.run_linearize()
    for (of, wrt), reference in exact.items():
        value = comp._get_jacobian()[f'comp.{of}', f'comp.{wrt}']
        value = value.toarray() if hasattr(value, 'toarray') else np.asarray(value)
        error = _error(value.reshape(reference.shape), reference)
        assert error <= fd_rtol, f'd{of}/d{wrt}: {error:.1e} from PerOutputFD, > {fd_rtol:.0e}'


def _differenced(cls, fd_steps):
    """`cls` with every partial declared by central differences, each output its own step."""

    class Differenced(PerOutputFD, cls):
        def setup(self):
            super().setup()
            self.matrix_free = False

        def setup_partials(self):
            outputs = list(self._var_rel_names['output'])
            for place, of in enumerate(outputs, start=1):
                for wrt in self._var_rel_names['input']:
                    self.declare_partials(
                        of, wrt, method='fd', form='central', step=fd_steps.get(of, 1e-5 * place)
                    )

        def compute_partials(self, inputs, partials, discrete_inputs=None):
            """Leave every partial to the differences."""

    return Differenced
