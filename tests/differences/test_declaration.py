"""Declarations: defaults, relative steps, and what is refused."""

import numpy as np
import pytest

from mdao_seq.differences.declaration import STEP_CALCS, Declaration


def test_defaults_are_openmdaos():
    fd, cs = Declaration('y', 'x'), Declaration('y', 'x', 'cs')
    assert (fd.step, fd.form, fd.order, fd.step_calc, fd.minimum_step) == (
        1e-6,
        'forward',
        1,
        'abs',
        1e-12,
    )
    assert cs.step == 1e-40
    assert Declaration('y', 'x', form='central').order == 2


@pytest.mark.parametrize('step_calc', STEP_CALCS)
def test_relative_steps(step_calc):
    x = np.array([[-4.0, 0.0], [2.0, 4.0]])
    d = Declaration('y', 'x', step=1e-3, step_calc=step_calc, minimum_step=1e-5)
    expected = {
        'abs': [1e-3] * 4,
        'rel': [2.5e-3] * 4,
        'rel_avg': [2.5e-3] * 4,
        'rel_legacy': [6e-3] * 4,
        'rel_element': [4e-3, 1e-5, 2e-3, 4e-3],
    }[step_calc]
    np.testing.assert_allclose(d.steps(x), expected, rtol=1e-15)


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'step': 0}, 'step 0 '),
        ({'step': -1e-3}, 'step -0.001 '),
        ({'step': np.nan}, 'step nan '),
        ({'step': np.array([1.0, 2.0])}, 'step array'),
        ({'step': '1e-3'}, "step '1e-3' "),
        ({'form': 'middle'}, "form 'middle'"),
        ({'order': 5}, 'order 5'),
        ({'method': 'jax'}, "method 'jax'"),
        ({'step_calc': 'relative'}, "'relative' is not a valid setting for step_calc"),
        ({'minimum_step': 0.0}, 'minimum_step 0.0'),
        ({'method': 'cs', 'form': 'central'}, "form 'central' has no meaning"),
        ({'method': 'cs', 'step_calc': 'rel'}, "step_calc 'rel' has no meaning"),
    ],
)
def test_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Declaration('y', 'x', **options)
