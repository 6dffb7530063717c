"""The maths of each walk against a slow or closed form of its own."""

import numpy as np
import pytest

from bend.errors import SettingsError
from bend.walks import WALKS, Course, times
from bend.walks.circle import circle
from bend.walks.linear import linear
from bend.walks.noise import gradient_noise, noise
from bend.walks.slerp import slerp
from bend.walks.spline import spline

KEYS = np.random.RandomState(5).randn(5, 64)


def test_linear_is_halfway_in_the_middle() -> None:
    middle = linear(KEYS[:2], np.array([0.5]), Course())
    np.testing.assert_allclose(middle[0], (KEYS[0] + KEYS[1]) / 2)


def test_slerp_goes_at_constant_angular_speed() -> None:
    points = slerp(KEYS[:2], times(11, closed=False), Course())
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    angles = np.arccos((unit[:-1] * unit[1:]).sum(axis=1))
    np.testing.assert_allclose(angles, angles[0], rtol=1e-6)
    whole = np.arccos(KEYS[0] @ KEYS[1] / np.linalg.norm(KEYS[0]) / np.linalg.norm(KEYS[1]))
    np.testing.assert_allclose(angles.sum(), whole, rtol=1e-6)


@pytest.mark.parametrize("apart", [1e-3, 0.05, np.pi - 0.05])
def test_slerp_is_an_arc_however_near_or_far_its_ends_are(apart: float) -> None:
    a, b = np.linalg.qr(KEYS[:2].T)[0].T
    turns = np.linspace(0, apart, 9)[:, None]
    keys = np.stack([a, np.cos(apart) * a + np.sin(apart) * b])
    points = slerp(keys, times(9, closed=False), Course())
    np.testing.assert_allclose(points, np.cos(turns) * a + np.sin(turns) * b, atol=1e-12)


def test_slerp_norm_goes_linearly() -> None:
    norms = np.linalg.norm(slerp(KEYS[:2], times(5, closed=False), Course()), axis=1)
    ends = np.linalg.norm(KEYS[:2], axis=1)
    np.testing.assert_allclose(norms, np.linspace(ends[0], ends[1], 5))


def test_slerp_of_nearly_one_direction_is_a_line() -> None:
    near = np.stack([KEYS[0], KEYS[0] * (1 + 1e-12), KEYS[0]])
    points = slerp(near, times(7, closed=True), Course(loop=True))
    np.testing.assert_allclose(points, np.repeat(KEYS[:1], 7, axis=0), rtol=1e-9)


@pytest.mark.parametrize("keys", [np.stack([KEYS[0], -KEYS[0]]), np.stack([KEYS[0], 0 * KEYS[0]])])
def test_slerp_refuses_what_has_no_arc(keys: np.ndarray) -> None:
    with pytest.raises(SettingsError):
        slerp(keys, np.array([0.5]), Course())


def test_spline_agrees_with_scipy() -> None:
    from scipy.interpolate import CubicSpline

    clock = times(97, closed=True)
    looped = CubicSpline(np.arange(6), np.concatenate([KEYS, KEYS[:1]]), bc_type="periodic")(clock * 5)
    np.testing.assert_allclose(spline(KEYS, clock, Course(loop=True)), looped, atol=1e-12)
    clock = times(97, closed=False)
    natural = CubicSpline(np.arange(5), KEYS, bc_type="natural")(clock * 4)
    np.testing.assert_allclose(spline(KEYS, clock, Course()), natural, atol=1e-12)


def test_spline_agrees_with_scipy_at_any_knots() -> None:
    """Speed is continuous at keyframes with times of their own, too."""
    from scipy.interpolate import CubicSpline

    clock, knots = times(97, closed=True), np.array([0, 0.1, 0.4, 0.45, 0.8, 1])
    looped = CubicSpline(knots, np.concatenate([KEYS, KEYS[:1]]), bc_type="periodic")(clock)
    np.testing.assert_allclose(spline(KEYS, clock, Course(loop=True, knots=knots)), looped, atol=1e-11)
    clock, knots = times(97, closed=False), np.array([0, 0.1, 0.4, 0.45, 1])
    natural = CubicSpline(knots, KEYS, bc_type="natural")(clock)
    np.testing.assert_allclose(spline(KEYS, clock, Course(knots=knots)), natural, atol=1e-11)


def test_spline_commutes_with_an_affine_map() -> None:
    """Truncation is affine, so truncating the path is walking through truncated keyframes."""
    clock, centre = times(20, closed=True), KEYS.mean(axis=0)
    truncated = centre + 0.6 * (spline(KEYS, clock, Course(loop=True)) - centre)
    through = spline(centre + 0.6 * (KEYS - centre), clock, Course(loop=True))
    np.testing.assert_allclose(truncated, through, atol=1e-12)


def test_great_circle_starts_on_its_first_keyframe_and_lies_in_their_plane() -> None:
    points = circle(KEYS[:2], times(16, closed=True), Course())
    np.testing.assert_allclose(points[0], KEYS[0])
    np.testing.assert_allclose(points[8], -KEYS[0])
    assert np.linalg.matrix_rank(np.concatenate([KEYS[:2], points])) == 2


def test_circle_is_about_its_centre_with_its_radius() -> None:
    points = circle(KEYS[:3], times(16, closed=True), Course(radius=0.25))
    radii = np.linalg.norm(points - KEYS[0], axis=1)
    np.testing.assert_allclose(radii, 0.25 * np.linalg.norm(KEYS[0]))
    np.testing.assert_allclose(points.mean(axis=0), KEYS[0], atol=1e-12)


def test_circle_refuses_latents_on_a_line() -> None:
    with pytest.raises(SettingsError, match="span no circle"):
        circle(np.stack([KEYS[0], 2 * KEYS[0], KEYS[1]]), np.array([0.0]), Course())


def ring_of(diameter: float, num: int) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, num, endpoint=False)
    return diameter / 2 * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def test_noise_has_unit_variance_and_no_common_zeros() -> None:
    course = Course(diameter=6)
    field = gradient_noise(ring_of(6, 400), 2048, course)
    assert abs(field.std() - 1) < 0.03
    # If all dimensions shared one lattice, the norm would fall to zero at each of its points.
    assert field.std(axis=1).min() > 0.9
    correlation = np.corrcoef(field[:, :64].T)
    assert np.abs(correlation - np.eye(64)).mean() < 0.3


def test_noise_variance_is_the_integral() -> None:
    x = np.linspace(0, 1, 200_001)
    f = 1 - x**3 * (x * (x * 6 - 15) + 10)
    variance = 4 * np.trapezoid(f**2, x) * np.trapezoid(f**2 * x**2, x)
    assert noise.__globals__["_VARIANCE"] == pytest.approx(variance, rel=1e-6)


def test_noise_follows_seed_amount_and_diameter() -> None:
    clock = times(100, closed=True)
    walk = {seed: noise(KEYS[:1], clock, Course(seed=seed)) for seed in (0, 1)}
    assert not np.allclose(walk[0], walk[1])
    far = np.linalg.norm(walk[0] - KEYS[0], axis=1).mean()
    near = np.linalg.norm(noise(KEYS[:1], clock, Course(amount=0.1)) - KEYS[0], axis=1).mean()
    assert near == pytest.approx(0.1 * far)

    def length(diameter: float) -> float:
        points = noise(KEYS[:1], clock, Course(diameter=diameter))
        return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())

    assert length(1) < length(4) < length(16)
    field = gradient_noise(ring_of(6, 100), KEYS.shape[1], Course(diameter=6))
    wanted = KEYS[0] + np.sqrt(np.mean(np.square(KEYS[0]))) * field
    np.testing.assert_allclose(noise(KEYS[:1], clock, Course(diameter=6)), wanted, atol=1e-12)


def test_table_calls_these_functions() -> None:
    assert {name: walk.at for name, walk in WALKS.items()} == {
        "linear": linear,
        "slerp": slerp,
        "spline": spline,
        "circle": circle,
        "noise": noise,
    }
