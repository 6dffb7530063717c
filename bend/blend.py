"""Several latents in one picture: another style in a part of it, `--blend '7@left'`.

    7@left                                    seed 7 in the left half; also right, top, bottom
    7@ellipse:.5,.4,.2,.3/soft=.2/mix=.8      four fifths of it, in an ellipse with a wide edge
    7@rect:(lfo(sine,0..1,4s)),0,.3,1         a moving stripe
    face.npz:2@mask.png/layers=0-5            the third latent of a file, coarse layers only, where a picture is bright

Every layer is computed with each of the styles on the same input, and the mask blends its outputs; the next layer sees
only the blend. The latents run through the network as one batch, and hooks write the blend into every row of each
layer's output, so the layers themselves stay as they are. Masking features is the idea of network bending (Broad,
Leymarie & Grierson, arXiv 2005.12420).
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bend.automation import Automation, Constant, parse
from bend.bends.masks import Mask, parse_mask
from bend.config import RenderConfig
from bend.errors import SettingsError, about
from bend.latent_file import read_latents
from bend.latents import device_of, stored_ws, truncate, ws_from_z, z_from_seeds
from bend.play import Moment
from bend.style_layers import parse_layers, rows_of
from bend.tiles import current_canvas
from stylegan.generator import Generator
from stylegan.layers import SynthesisLayer, ToRGBLayer
from stylegan.taps import hang, taps

__all__ = ["Blend", "Blending", "open_blends", "parse_blend"]

_EXAMPLE = "write SEED@AREA, such as 7@left or face.npz@ellipse:.5,.4,.2,.3/soft=.2"
_PICTURE = re.compile(r"^(?!image:)[^:]+\.(png|jpe?g|webp|gif|bmp|tiff?)$", re.IGNORECASE)
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """One other latent, and where it shows.

    Attributes:
        source: a seed, or the path of a file of latents.
        row: which latent of the file.
        area: where it shows.
        soft: width of the area's edge, as a share of the picture.
        mix: how much of it shows, from 0 to 1.
        layers: a range for `style_layers.rows_of`; None for all.
    """

    source: str
    row: int
    area: Mask
    soft: float = 0.1
    mix: Automation = field(default_factory=lambda: Constant(1.0))
    layers: str | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the latent is a row of a file rather than a seed's."""
        return not self.source.isdigit()

    @property
    def files(self) -> tuple[str, ...]:
        """The files that its latent and its area come from, if any."""
        return (*((self.source,) if self.is_stored else ()), *self.area.files)


@dataclass(frozen=True, slots=True)
class Blending:
    """The play that blends.

    Attributes:
        blends: in order, each drawn over those before it.
        others: their ws, `[K, num_ws, w_dim]`.
    """

    blends: tuple[Blend, ...]
    others: Tensor

    @property
    def varies(self) -> bool:
        return any(blend.mix.varies or blend.area.varies for blend in self.blends)

    @contextlib.contextmanager
    def during(self, G: Generator, moment: Moment) -> Iterator[None]:
        """Draw the other latents alongside, and blend the outputs of every layer."""
        copies = len(self.blends) + 1
        amounts = [blend.mix.at(moment.seconds) for blend in self.blends]

        def alongside(ws: Tensor) -> Tensor:
            return torch.cat([ws, *(self._styled(G, ws, index) for index in range(len(self.blends)))])

        def blended(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            mixed, *others = output.chunk(copies)
            for blend, amount, other in zip(self.blends, amounts, others, strict=True):
                mask = _mask(blend, moment.seconds, output.shape[2], output.shape[3]).to(output)
                mixed = mixed + amount * mask * (other - mixed)
            return mixed.repeat(copies, 1, 1, 1).contiguous(memory_format=_format(output))

        def first(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            return output.chunk(copies)[0]

        with contextlib.ExitStack() as stack:
            stack.enter_context(hang(G, taps(G)["ws"], alongside))
            for module in G.synthesis.modules():
                if isinstance(module, SynthesisLayer | ToRGBLayer):
                    stack.enter_context(module.register_forward_hook(blended))
            stack.enter_context(G.synthesis.register_forward_hook(first))
            yield

    def _styled(self, G: Generator, ws: Tensor, index: int) -> Tensor:
        """`ws` `[N, num_ws, w_dim]` with the layers of one blend replaced by its latent."""
        rows = rows_of(G, self.blends[index].layers)
        styled = ws.clone()
        styled[:, rows] = self.others[index, rows].to(ws)
        return styled


def open_blends(config: RenderConfig, G: Generator) -> tuple[Blending, ...]:
    """The play of `config.blend`: one or none.

    Raises:
        SettingsError: a blend that cannot be read, or a latent that this network does not have.
    """
    blends, latents = [], []
    for text in config.blend:
        with about(f"--blend {text}"):
            blends.append(parse_blend(text))
            latents.append(_latent(G, config, blends[-1]))
            rows_of(G, blends[-1].layers)
    if not blends:
        return ()
    others = torch.cat(latents).to(device_of(G))
    return (Blending(tuple(blends), truncate(G, others, config.fixed_trunc, config.trunc_cutoff)),)


def parse_blend(text: str) -> Blend:
    """Read a blend.

    Raises:
        SettingsError: it is not a blend; says which part is wrong.
    """
    source, at, tail = text.strip().partition("@")
    match = re.fullmatch(r"(\d{1,10})|(.+\.npz)(?::(\d{1,6}))?", source.strip(), re.ASCII | re.IGNORECASE)
    if not at or match is None or int(match[1] or 0) > _LARGEST_SEED:
        raise SettingsError(f"{text!r} is not a blend; {_EXAMPLE}")
    area, options = _options(tail)
    return Blend(
        source=match[1] or match[2],
        row=int(match[3] or 0),
        area=_area(area.strip()),
        soft=_soft(options.get("soft", "0.1")),
        mix=parse(options.get("mix", "1")),
        layers=parse_layers(options["layers"]) if "layers" in options else None,
    )


def _options(tail: str) -> tuple[str, dict[str, str]]:
    """The area, and the settings `/name=value` after it; other slashes belong to the path of a mask."""
    area, *rest = re.split(r"/(?=[a-z]+=)", tail)
    options = {name: value for name, _, value in (part.partition("=") for part in rest)}
    unknown = sorted(options.keys() - {"soft", "mix", "layers"})
    if unknown:
        raise SettingsError(f"{unknown[0]} is unknown; choose from soft, mix, layers")
    return area, options


def _area(text: str) -> Mask:
    """A mask, which may be given as the path of a picture alone."""
    return parse_mask(f"image:{text}" if _PICTURE.search(text) else text)


def _mask(blend: Blend, t: float, height: int, width: int) -> Tensor:
    """The mask `[height, width]` of a feature map, or of the part of it that is being drawn."""
    canvas = current_canvas()
    if canvas is None:
        return blend.area.at(t, height, width, blend.soft)
    return canvas.cut(blend.area.at(t, *canvas.whole_size(height), blend.soft))


def _soft(text: str) -> float:
    value = parse(text)
    if value.varies or not 0 <= value.at(0) <= 10:
        raise SettingsError(f"soft={text}: a share of the picture, 0 to 10, that does not vary")
    return value.at(0)


def _latent(G: Generator, config: RenderConfig, blend: Blend) -> Tensor:
    if not blend.is_stored:
        return ws_from_z(G, z_from_seeds([int(blend.source)], G.z_dim), class_index=config.class_index)
    rows = stored_ws(G, read_latents(blend.source), blend.source, config.class_index)
    if blend.row >= len(rows):
        raise SettingsError(f"{blend.source}:{blend.row}: it holds {len(rows)} latents, numbered from 0")
    return rows[blend.row : blend.row + 1]


def _format(x: Tensor) -> torch.memory_format:
    is_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if is_last else torch.contiguous_format
