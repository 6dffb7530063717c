"""Configurations of another tool, translated into our grammar."""

from pathlib import Path

import pytest

from bend.bends import parse_bends
from bend.config import RenderConfig
from bend.errors import SettingsError
from bend.network_bending import expand, layer_name, read_transforms
from bend.provenance import read_provenance
from tests.bend.conftest import Run

TRANSFORMS = """
transforms:
- layer: 4
  transform: "translate"
  params: [0.25, 0.0]
  features: "all"
  feature-param:
- layer: 2
  transform: "ablate"
  params: []
  features: "cluster"
  feature-param: 2
- layer: 5
  transform: "binary-thresh"
  params: [0.5]
  features: "random"
  feature-param: 0.5
"""
CLUSTERS = """
2:
- {cluster_index: 1, feature_index: 0}
- {cluster_index: 2, feature_index: 5}
- {cluster_index: 2, feature_index: 3}
"""
SAID = [
    "translate:0.25,0@b16.conv0",
    "ablate@b8.conv0/cluster=2",
    "threshold:0.5@b16.conv1/channels=random:0.5:seed0",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "transforms.yaml").write_text(TRANSFORMS)
    (tmp_path / "clusters.yaml").write_text(CLUSTERS)
    return tmp_path / "transforms.yaml"


def test_transforms_are_bends(file: Path) -> None:
    assert read_transforms(file) == SAID
    assert [str(spec) for spec in parse_bends(SAID)][1:] == SAID[1:]


def test_their_clusters_are_lists_of_channels(file: Path) -> None:
    with_clusters = read_transforms(file, file.with_name("clusters.yaml"))
    assert with_clusters == [SAID[0], "ablate@b8.conv0/channels=3,5", SAID[2]]
    assert expand((f"{file},{file.with_name('clusters.yaml')}",)) == tuple(with_clusters)


def test_every_transform_of_theirs_is_known(file: Path) -> None:
    params = {"translate": "[.5, 0]", "scale": "[1.2]", "rotate": "[45]", "erode": "[2]", "dilate": "[2]"}
    params |= {"binary-thresh": "[.5]", "scalar-multiply": "[-0.5]"}
    names = [*params, "flip-h", "flip-v", "invert", "ablate"]
    rows = [f"- {{layer: 1, transform: {name}, params: {params.get(name, '[]')}}}\n" for name in names]
    file.write_text("transforms:\n" + "".join(rows))
    assert len(parse_bends(read_transforms(file))) == 11


def test_numbers_keep_their_digits(file: Path) -> None:
    share = "features: random, feature-param: 0.12345678"
    file.write_text(f"transforms: [{{layer: 1, transform: rotate, params: [12.3456789], {share}}}]")
    assert read_transforms(file) == ["rotate:12.3456789@b4.conv1/channels=random:0.12345678:seed0"]


def test_layers_are_counted_through_the_convolutions() -> None:
    assert [layer_name(layer) for layer in (1, 2, 3, 4, 5, 16, 17)] == [
        *("b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1", "b1024.conv0", "b1024.conv1")
    ]


def test_nothing_to_do_is_nothing(file: Path) -> None:
    file.write_text("transforms:\n")
    assert read_transforms(file) == []


def test_other_bends_stay_where_they_are(file: Path) -> None:
    assert expand(("invert@b8.conv0", str(file))) == ("invert@b8.conv0", *SAID)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]", "no list `transforms`"),
        ("a: {", "cannot be read as YAML"),
        ("[" * 5000, "cannot be read as YAML"),
        ("date: 2001-99-99", "cannot be read as YAML"),
        ("transforms: [{layer: 1, transform: [rotate]}]", "transform 1: ['rotate'] is unknown"),
        (
            "transforms: [{layer: 1, transform: rotate, params: [1" + "0" * 400 + "]}]",
            "not a list of numbers",
        ),
        ("transforms: 3", "no list `transforms`"),
        ("transforms: [3]", "transform 1: 3 is not a transform"),
        ("transforms: [{layer: 1, transform: melt}]", "transform 1: 'melt' is unknown; choose from ablate"),
        ("transforms: [{layer: 0, transform: invert}]", "layer 0 is not a layer; they are numbered from 1"),
        ("transforms: [{layer: x, transform: invert}]", "layer 'x' is not a layer"),
        ("transforms: [{layer: 1, transform: rotate, params: [a]}]", "not a list of numbers"),
        ("transforms: [{layer: 1, transform: invert, features: random}]", "random with a share"),
        (
            "transforms: [{layer: 1, transform: invert, features: cluster, feature-param: -1}]",
            "with a number",
        ),
    ],
)
def test_refusals_say_which_transform(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        read_transforms(file)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_missing_files_and_clusters(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere.yaml: No such file"):
        read_transforms(file.with_name("nowhere.yaml"))
    for text in (
        "3:\n- {cluster_index: 0, feature_index: 0}\n",
        "[]",
        "2: [{cluster_index: .inf, feature_index: 0}]",
    ):
        file.with_name("clusters.yaml").write_text(text)
        with pytest.raises(SettingsError, match="says nothing about layer 2"):
            read_transforms(file, file.with_name("clusters.yaml"))
    with pytest.raises(SettingsError, match="after a comma"):
        expand(("a.yaml,b.yaml,c.yaml",))


def test_a_render_takes_the_file_and_keeps_what_it_said(
    run: Run, tiny_network: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    output = tmp_path / "x.png"
    status, _, err = run("render", "grid", "--network", tiny_network, "--bend", file, "-o", output)
    assert status == 0, err
    note = read_provenance(output)
    assert note is not None
    assert note.work["render"]["bend"] == SAID
    assert RenderConfig(bend=tuple(SAID)).bend == tuple(SAID)
    status, _, err = run("render", "grid", "--network", tiny_network, "--bend", "no.yaml", "-o", output)
    assert status == 2
    assert "no.yaml: No such file" in err
