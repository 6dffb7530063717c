"""What a person does in the studio, a function for each action, in one table; chosen at random, one after another."""

import asyncio
import contextlib
import copy
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import torch
from studio_player import Player
from websockets.exceptions import ConnectionClosed

from stylegan.checkpoint import load_network, save_network

__all__ = ["ACTIONS", "play", "twin_of"]

Action = Callable[[Player], Awaitable[None]]


async def play(page: Player, names: Sequence[str]) -> None:
    """Play these actions in turn, until cancelled."""
    await page.begin()
    try:
        while True:
            for name in page.dice.sample(list(names), len(names)):
                await ACTIONS[name](page)
                page.played[name] += 1
    finally:
        await page.end()


def twin_of(network: str, folder: Path) -> Path:
    """A network file like another network with slightly different weights, for the dial to turn to."""
    G = load_network(network).generator("ema")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in G.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.1 * noise * parameter.abs().mean())
    save_network(folder / "twin.safetensors", G_ema=G)
    return folder / "twin.safetensors"


async def drag(page: Player) -> None:
    """The point over the map."""
    x, y = page.dice.random(), page.dice.random()
    for _ in range(60):
        x, y = (min(max(at + page.dice.uniform(-0.05, 0.05), -0.25), 1.25) for at in (x, y))
        page.patch["place"] |= {"x": round(x, 4), "y": round(y, 4), "to": None, "share": 0}
        await page.gesture()
    await page.rest()


async def turn(page: Player) -> None:
    """Truncation, and the noise."""
    for _ in range(30):
        page.patch["trunc"] = f"{page.dice.uniform(-0.5, 1.5):.2f}"
        await page.gesture()
    await page.change(noise_mode=page.dice.choice(["random", "none", "const"]))
    await page.change(noise_mode="const", trunc="1")


async def dial(page: Player) -> None:
    """The dial to another network, all at once and by layer."""
    for _ in range(20):
        page.patch["dial"] = {"base": "twin.safetensors", "amount": f"{page.dice.uniform(-0.5, 1.5):.2f}"}
        await page.gesture()
    for _ in range(10):
        amounts = ",".join(f"b{side}={page.dice.uniform(-0.5, 1.5):.2f}" for side in (4, 8, 16, 32, 64))
        page.patch["dial"] = {"base": "twin.safetensors", "amount": amounts}
        await page.gesture()
    await page.change(dial={"base": "twin.safetensors", "amount": "lfo(sine,0..1,2s)"})
    await page.change(dial={"base": None, "amount": "1"})


async def walk(page: Player) -> None:
    """The point moving by itself, and values moved by an oscillator."""
    for path in ("drift", "circle", "journey"):
        page.patch |= {
            "wander": {"on": True, "path": path, "speed": 6, "reach": 1},
            "trunc": "lfo(sine,0.3..1,3s)",
        }
        await page.gesture()
        await page.shown(30)
    await page.change(wander={"on": False, "path": "drift", "speed": 1, "reach": 0.5}, trunc="1")


async def seeds(page: Player) -> None:
    """Other seeds, principal axes, and the map that is drawn from them."""
    for mode in ("seeds", "pca", "seeds"):
        place = {
            "mode": mode,
            "seeds": [page.dice.randrange(100_000) for _ in range(3)],
            "axes": [0, 1],
            "x": 0.2,
            "y": 0.3,
        }
        await page.change(place=place)
        await page.ask("ground", "ground", key=mode)


async def rack(page: Player) -> None:
    """Bends that come, are changed, and go."""
    for _ in range(4):
        await page.change(modules=[*page.patch["modules"][-2:], page.module()])
    for _ in range(10):
        page.patch["modules"][-1]["mix"] = f"{page.dice.random():.2f}"
        await page.gesture()
    page.patch["modules"][-1]["on"] = False
    await page.rest()
    await page.change(modules=[])


async def maps(page: Player) -> None:
    """The feature maps of all layers, looked at while the point moves."""
    await page.say("watch", taps=page.taps("const", "conv", "affine", "torgb", "image", "ws"))
    await drag(page)
    await asyncio.sleep(0.3)
    await page.say("watch", taps=[])


async def roll(page: Player) -> None:
    """Chances: some are rolled, one is taken, two are bred, a roll is stopped."""
    page.chances = []
    await page.ask("finished", "roll", num=4, seed=page.dice.randrange(2**31), parents=[])
    parents = [{**page.patch, "modules": one["modules"]} for one in page.chances[:2]]
    if page.chances:
        await page.change(modules=page.chances[0]["modules"])
    await page.ask("finished", "roll", num=2, seed=page.dice.randrange(2**31), parents=parents)
    await page.say("roll", num=64, seed=1, parents=[])
    await asyncio.sleep(0.5)
    await page.say("stop-roll")
    await page.change(modules=[])


async def history(page: Player) -> None:
    """Undo and redo."""
    for _ in range(8):
        await page.undo()
        await asyncio.sleep(0.05)
    for _ in range(4):
        await page.redo()
        await asyncio.sleep(0.05)
    await page.change(modules=[], wander={"on": False, "path": "drift", "speed": 1, "reach": 0.5}, trunc="1")
    await page.change(dial={"base": None, "amount": "1"}, noise_mode="const")
    await network(page)


async def presets(page: Player) -> None:
    """Two are kept, one morphs between them, and they are forgotten."""
    kept = []
    for name in ("one", "two"):
        await page.change(
            place={
                "mode": "seeds",
                "seeds": [page.dice.randrange(1000) for _ in range(3)],
                "x": 0.1,
                "y": 0.9,
            },
            modules=[page.module()],
        )
        kept.append(copy.deepcopy(page.patch))
        await page.ask("state", "keep-preset", name=name)
    for step in range(30):
        there = kept[1]["place"] | {"to": None, "share": 0}
        page.patch["place"] = kept[0]["place"] | {"to": there, "share": step / 29}
        await page.gesture()
    for name in ("one", "two"):
        await page.ask("state", "drop-preset", name=name)
    await page.change(place=kept[1]["place"], modules=[])


async def record(page: Player) -> None:
    """A performance, which is stopped and downloaded."""
    await page.say("record")
    await drag(page)
    await page.change(modules=[page.module()])
    await turn(page)
    await page.change(modules=[])
    await page.ask("kept", "end-record")
    if page.shelf.get("takes"):
        await page.get(f"/takes/{page.shelf['takes'][0]['name']}.zip")


async def pictures(page: Player) -> None:
    """The page's files, the picture, and the recipe."""
    await page.get("/", "/assets/studio.js", "/start", "/picture.png", "/recipe")


async def guests(page: Player) -> None:
    """This page disconnects and comes back; another one looks on for a while, and leaves without a word."""
    await page.reconnect()
    with contextlib.suppress(OSError, TimeoutError, ConnectionClosed):
        async with page.open() as other:
            await other.send(json.dumps({"do": "watch", "taps": page.taps("conv")}))
            await drag(page)
            other.transport.abort()
    await page.say("watch", taps=[])


async def mistakes(page: Player) -> None:
    """What the server refuses."""
    for message in (
        {"do": "explode"},
        {"do": "play", "patch": {"network": 3}, "gesture": 0},
        {"do": "play", "patch": {**page.patch, "network": "nowhere"}, "gesture": 0},
        {"do": "render-take", "name": "../x"},
    ):
        await page.ask("trouble", **message)
    await page.change()


async def clusters(page: Player) -> None:
    """Clusters of channels, as pictures to choose from."""
    await page.ask("clusters", "clusters")


async def network(page: Player) -> None:
    """Another network on the stage, and back."""
    first = page.start["patch"]["network"]
    for name in ("twin.safetensors", first):
        if page.patch["network"] != name:
            page.patch |= {"network": name, "modules": []}
            await page.ask("opened", "play", patch=page.patch, gesture=0)
            await page.change()


async def film(page: Player) -> None:
    """A film of one second, rendered by a process of its own while one plays on; one in eight times."""
    if page.played["film"] % 8:
        return
    await page.ask("jobs", "film", seconds=1)
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        await drag(page)
        await page.ask("state", "refresh")
        if all(job["state"] not in ("waiting", "running") for job in page.shelf["jobs"]):
            break
    done = next((one["name"] for one in page.shelf["takes"] if one["is_rendered"]), None)
    if done is not None and re.fullmatch(r"[\w-]+", done):
        await page.get(f"/takes/{done}.mp4")


ACTIONS: dict[str, Action] = {
    "drag": drag,
    "turn": turn,
    "dial": dial,
    "walk": walk,
    "seeds": seeds,
    "rack": rack,
    "maps": maps,
    "roll": roll,
    "history": history,
    "presets": presets,
    "record": record,
    "pictures": pictures,
    "guests": guests,
    "mistakes": mistakes,
    "clusters": clusters,
    "network": network,
    "film": film,
}
"""What a person does, by name."""
