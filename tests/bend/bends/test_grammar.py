"""What may be typed, how it is printed, and what errors say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bend.automation import Constant, Keyframes, Oscillator
from bend.bends.grammar import parse_bend
from bend.bends.selection import All, Clusters, Listed, Random, Top
from bend.bends.table import BENDS
from bend.errors import SettingsError

SAYINGS = [
    "rotate:30@b32.conv1",
    "ablate@b16.*/channels=random:0.3:seed7",
    "erode:2@b64.conv0/cluster=2",
    "scale:1.3@b32.conv0/mask=ellipse:0.5,0.4,0.2,0.3/mix=0.6",
    "rotate:lfo(sine,0..360,4s)@b8.conv1",
    "rotate:0s:0,2s:90@b8.conv1",
    "translate:(0s:0,2s:0.5),0.25@b32.conv0/edge=wrap",
    "feedback:0.6,3@b16.conv1",
    "swap:(0s:0,2s:1),(1s:1,3s:7)@b8.conv1",
    "wave:0,(1s:2),(3s:-1)@b8.conv1",
    "freeze@b16.conv1",
    "freeze:7@b16.conv1/mix=lfo(sine,0..1,2s)",
    "perturb:0.3,5@*.conv0/channels=0-7,12",
    "drive:3@b16.conv1/channels=top:8",
    "blur:2@*.image/mask=~rect:0.1,lfo(sine,0..0.5,3s),0.3,0.4/soft=0.2",
    "turn@b4.const",
    "shuffle@ws",
]


@pytest.mark.parametrize("text", SAYINGS)
def test_canonical_text_is_printed_as_it_is(text: str) -> None:
    assert str(parse_bend(text)) == text
    assert parse_bend(str(parse_bend(text))) == parse_bend(text)


@pytest.mark.parametrize("name", BENDS)
def test_every_bend_can_be_written_and_read_back(name: str) -> None:
    row = BENDS[name]
    text = f"{name}:{','.join(map(str, row.example))}@b8.conv0" if row.example else f"{name}@b8.conv0"
    spec = parse_bend(text)
    assert parse_bend(str(spec)) == spec
    assert spec.values_at(0.0)[: len(row.example)] == row.example


def test_every_digit_is_printed() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        seed, share, soft, mix = rng.integers(2**31), *rng.uniform(0, 1, 3)
        text = f"shuffle:{seed}@b8.conv0/channels=random:{share}:seed{seed}/mask=rect:0,0,1,{mix}/soft={soft}/mix={mix}"
        assert str(parse_bend(text)) == text
        assert parse_bend(text).values_at(0.0) == (seed,)


def test_parts_mean_what_they_say() -> None:
    spec = parse_bend(
        " translate:dy=lfo(saw,0..1,2s),dx=.5 @ b8.conv0 /channels=random:.3:7/mix=.5/edge=reflect"
    )
    assert spec.values == (Constant(0.5), Oscillator(shape="saw", low=0.0, high=1.0, period=2.0))
    assert (spec.tap, spec.channels, spec.mix, spec.edge) == (
        "b8.conv0",
        Random(0.3, 7),
        Constant(0.5),
        "reflect",
    )
    assert spec.varies
    assert spec.values_at(1.0) == (0.5, 0.5)
    two = parse_bend("translate:0s:0,2s:.5,0s:1,2s:0@b8.conv0")
    assert two.values == (Keyframes((0.0, 2.0), (0.0, 0.5)), Keyframes((0.0, 2.0), (1.0, 0.0)))
    assert parse_bend("translate:dx=0s:0,2s:.5,dy=3s:1,4s:0@b8.conv0").values == (
        Keyframes((0.0, 2.0), (0.0, 0.5)),
        Keyframes((3.0, 4.0), (1.0, 0.0)),
    )


def test_whole_parameters_are_rounded() -> None:
    assert parse_bend("median:lfo(sine,0..3,2s)@b8.conv0").values_at(1.0) == (3,)
    assert isinstance(parse_bend("shuffle:4@b8.conv0").values_at(0.0)[0], int)


def test_selections() -> None:
    def channels(text: str) -> object:
        return parse_bend(f"invert@b8.conv0/{text}").channels

    assert channels("channels=all") == All()
    assert channels("channels=3,5-9") == Listed(((3, 3), (5, 9)))
    assert channels("cluster=0,2") == Clusters((0, 2))
    assert channels("channels=70000") == Listed(((70000, 70000),))
    assert channels("channels=cluster=1") == Clusters((1,))
    assert channels("channels=top:4") == Top(4)
    assert channels("channels=random:1") == Random(1.0, 0)


def test_a_picture_may_be_the_mask(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "mask.png"
    Image.new("L", (4, 4), 255).save(file)
    spec = parse_bend(f"invert@b8.conv0/mask=~image:{file}/mix=.5")
    assert spec.mask is not None
    assert spec.mask.file == str(file)
    assert parse_bend(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ROTATE:30@b8.conv0", "'ROTATE' is not a bend; the nearest is rotate"),
        ("rotat:30@b8.conv0", "'rotat' is not a bend; the nearest is rotate"),
        ("posterize:4@b8.conv0", "nearest is posterise"),
        ("rotate:30", "NAME@TAP"),
        ("rotate:30@", "NAME@TAP"),
        ("rotate@b8.conv0", "lacks its parameter degrees"),
        ("rotate:x@b8.conv0", "'x' is not a number"),
        ("rotate:30,4@b8.conv0", "'30,4'"),
        ("translate:1,2,3@b8.conv0", "'3' is one parameter too many; it takes dx,dy"),
        ("translate:dz=1@b8.conv0", "'dz' is not a parameter of it; it takes dx,dy"),
        ("translate:dx=1,dx=2@b8.conv0", "dx is given twice"),
        ("translate:.1,dx=2@b8.conv0", "dx is given twice"),
        ("ablate:1@b8.conv0", "takes nothing"),
        ("scale:0@b8.conv0", "factor 0 is out of range"),
        ("erode:lfo(sine,-1..2,4s)@b8.conv0", "radius lfo(sine,-1..2,4s) is out of range"),
        ("rotate:lof(sine,0..9,4s)@b8.conv0", "function 'lof' is unknown"),
        ("ablate@b8.conv0/chanels=all", "'chanels' is not a setting; the nearest is channels"),
        ("ablate@b8.conv0/channels=9-3", "write the lower number first"),
        ("ablate@b8.conv0/channels=loud", "'loud' is not a channel"),
        (f"ablate@b8.conv0/channels={'9' * 5000}", "is not a channel"),
        (f"ablate@b8.conv0/channels=top:{'9' * 5000}", "is not a channel"),
        ("ablate@b8.conv0/channels=random:2", "'2' is not a share"),
        ("ablate@b8.conv0/channels=random:0", "'0' is not a share"),
        ("ablate@b8.conv0/channels=top:0", "top:1 or more"),
        ("ablate@b8.conv0/cluster=x", "'x' is not a cluster"),
        ("ablate@b8.conv0/cluster=1/channels=3", "channels is given twice"),
        ("ablate@b8.conv0/mask=star:1", "'star' is not a mask; choose from rect, ellipse, image, left"),
        ("ablate@b8.conv0/mask=left:3", "left takes no numbers"),
        ("ablate@b8.conv0/mix=5", "mix 5 is out of range; give 0 to 1"),
        ("ablate@b8.conv0/mix=lfo(sine,-1..1,4s)", "is out of range; give 0 to 1"),
        ("ablate@b8.conv0/mask=ellipse:1,2", "ellipse takes X,Y,RX,RY"),
        ("ablate@b8.conv0/mask=rect:0,0,-1,1", "must not be negative"),
        ("ablate@b8.conv0/mask=image:nowhere.png", "nowhere.png: No such file"),
        ("ablate@b8.conv0/mix=loud", "'loud' is not a number"),
        ("ablate@b8.conv0/soft=11", "out of range"),
        ("ablate@b8.conv0/soft=lfo(sine,0..1,1s)", "does not vary"),
        ("ablate@b8.conv0/edge=wrap", "looks at nothing beyond the edge"),
        ("rotate:3@b8.conv0/edge=round", "choose from zero, reflect, wrap, smear"),
        ("zero:1@b8.conv0/mask=rect:0,0,1,1", "bends weights, which have no place in the picture"),
    ],
)
def test_refusals_name_the_part_in_one_line(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_bend(text)
    message = str(refused.value)
    assert says in message
    assert message.startswith(f"--bend {text}: ")
    assert "\n" not in message
