"""The palette offers only what the network and the page can take."""

import re
from pathlib import Path
from typing import Any

import pytest

from bend.automation import Constant
from bend.bends.grammar import BendSpec
from bend.bends.player import open_bends
from bend.studio.palette import palette
from stylegan.taps import taps
from tests.bend.tiny import tiny_generator

_WEB = Path(__file__).parents[3] / "bend" / "studio" / "web" / "src"


@pytest.mark.parametrize("bend", palette(), ids=lambda bend: bend["name"])
def test_a_bend_suits_every_kind_of_tap_that_it_is_offered_for(bend: dict[str, Any]) -> None:
    G = tiny_generator()
    values = tuple(Constant(parameter["default"]) for parameter in bend["parameters"])
    of_kind = {tap.kind: tap.name for tap in taps(G).values()}

    open_bends([BendSpec(name=bend["name"], values=values, tap=of_kind[kind]) for kind in bend["kinds"]], G)


def test_every_bend_has_a_drawer_on_the_page() -> None:
    drawers = re.findall(r'^  \["(\w+)", "\w+"\],$', (_WEB / "palette.ts").read_text("utf-8"), re.MULTILINE)

    assert {bend["family"] for bend in palette()} == set(drawers)
