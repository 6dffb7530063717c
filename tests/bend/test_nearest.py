"""The nearest of the words that are known."""

from bend.nearest import meant, nearest


def test_nearest_looks_past_case() -> None:
    assert nearest("ROTATE", ["zero", "Rotate"]) == "Rotate"
    assert nearest("xyz", ["zero", "rotate"]) is None
    assert nearest("xyz", ["zero", "rotate"], cutoff=0.0) is not None


def test_meant_names_the_nearest_or_all() -> None:
    assert meant("gird", ["grid", "plane"]) == "did you mean grid?"
    assert meant("xyz", ["grid", "plane"]) == "choose from grid, plane"
