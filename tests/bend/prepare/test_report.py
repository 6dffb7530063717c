"""The summary's wording at its corners."""

from pathlib import Path

from bend.prepare.report import PackageReport


def _report() -> PackageReport:
    return PackageReport(
        out=Path("a.zip"), resolution=64, num_channels=1, num_found=1234, num_images=5000, num_used=9
    )


def test_a_clean_packaging_is_one_line() -> None:
    assert _report().lines() == ["a.zip: 5,000 images, 64×64 grey, 0.0 MB, from 9 of 1,234 pictures"]


def test_notes_and_what_was_not_needed() -> None:
    report = _report()
    report.notes.update(["enlarged", "enlarged", "something-new"])
    report.num_not_needed = 7
    assert report.lines()[1:] == [
        "  2 smaller than the resolution, enlarged",
        "  1 something-new",
        "  7 not needed",
    ]


def test_the_commonest_reason_comes_first() -> None:
    report = _report()
    for i in range(2):
        report.refuse(f"{i}.png", "flat", "no detail")
    report.refuse("x.png", "animated", "3 frames")
    assert (
        report.refusals_in_a_line()
        == "flat 2 (0.png: no detail, 1.png: no detail); animated 1 (x.png: 3 frames)"
    )
