"""The summary's wording at its corners."""

import json
from pathlib import Path

from bend.prepare.report import PackageReport, SplitOff


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


def test_what_was_split_off_has_a_line(tmp_path: Path) -> None:
    report = _report()
    report.splits["test"] = SplitOff(
        out=tmp_path / "a-test.zip", num_used=3, num_images=1200, num_bytes=2_500_000
    )
    assert report.lines()[1:] == [f"  {tmp_path / 'a-test.zip'}: 1,200 images, 2.5 MB, from 3 of them"]
    assert json.loads(json.dumps(report.to_json()))["splits"]["test"]["num_images"] == 1200


def test_the_commonest_reason_comes_first() -> None:
    report = _report()
    for i in range(2):
        report.refuse(f"{i}.png", "flat", "no detail")
    report.refuse("x.png", "animated", "3 frames")
    assert (
        report.refusals_in_a_line()
        == "flat 2 (0.png: no detail, 1.png: no detail); animated 1 (x.png: 3 frames)"
    )
