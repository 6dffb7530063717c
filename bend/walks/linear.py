"""Straight lines between keyframes, at constant speed on each; suits w, which is nearly flat."""

from bend.walks.course import Course, Floats, segments

__all__ = ["linear"]


def linear(keyframes: Floats, t: Floats, course: Course) -> Floats:
    """Piecewise linear interpolation, `(1 - u) a + u b`.

    Args:
        keyframes: `[K, dim]`.
        t: times in [0, 1], `[T]`.
        course: `loop` adds the way back to the first keyframe.

    Returns:
        Points `[T, dim]`.
    """
    before, after, u = segments(len(keyframes), t, course)
    return (1 - u) * keyframes[before] + u * keyframes[after]
