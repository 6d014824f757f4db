"""ECNoise: the level of known noise is found, and what hides it is told."""

import numpy as np
import pytest

from mdao_seq.differences.noise import Verdict, noise_of

PLACES = np.arange(-4, 4)


@pytest.mark.parametrize('level', [1e-13, 1e-8, 1e-3])
@pytest.mark.parametrize('kind', ['normal', 'uniform'])
def test_the_level_of_known_noise_is_found(level, kind):
    rng = np.random.default_rng(1)
    shape = len(PLACES), 500
    deviates = (
        rng.standard_normal(shape) if kind == 'normal' else rng.uniform(-1, 1, shape) * 3**0.5
    )
    smooth = np.exp(1 + 1e-6 * PLACES)[:, None]
    noise = noise_of(smooth * (1 + level * deviates))
    found = np.array([v is Verdict.FOUND for v in noise.verdict])
    assert found.mean() > 0.9
    ratio = noise.level[found] / (level * np.e)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.2)
    assert np.quantile(ratio, 0.05) > 0.3
    assert np.quantile(ratio, 0.95) < 1.8


def test_rounding_is_the_noise_of_a_smooth_function():
    """The standard deviation of a rounded number is its spacing over the square root of 12."""
    noise = noise_of(np.sin(0.3 + 1e-7 * np.arange(9))[:, None])
    assert noise.verdict == [Verdict.FOUND]
    assert noise.level[0] == pytest.approx(np.spacing(0.3) / 12**0.5, rel=1.0)


@pytest.mark.parametrize(
    ('values', 'verdict'),
    [
        (np.full(8, 3.0), Verdict.CONSTANT),
        (np.array([1.0, 1, 1, 1, 1, 1 + 1e-7, 1 + 1e-7, 1 + 1e-7]), Verdict.SPACING_TOO_SMALL),
        (np.exp(PLACES), Verdict.SPACING_TOO_LARGE),
        (1 + 1e-3 * np.arange(8) ** 4, Verdict.SPACING_TOO_LARGE),
    ],
)
def test_what_hides_the_noise_is_told(values, verdict):
    noise = noise_of(values[:, None])
    assert noise.verdict == [verdict]
    assert np.isnan(noise.level[0])


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match='4 points'):
        noise_of(np.zeros((4, 1)))
