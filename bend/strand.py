"""One walk of a film: its keyframes, from seeds or a file of latents, and its ws at any time.

Keyframes are relative to the origin of their space: in w and w+ that is `w_avg`, towards which truncation pulls. In w+
the path treats the ws of all layers as one long vector.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bend import latents
from bend.config import RenderConfig, WalkConfig
from bend.errors import SettingsError
from bend.latent_file import LatentFile, read_latents
from bend.walks import WALKS, Course, knots_at
from bend.walks.course import Floats
from stylegan.generator import Generator

__all__ = ["Strand", "keyframes_given", "strand_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strand:
    """One walk.

    Attributes:
        path: a name in `WALKS`.
        keyframes: `[K, dim]`, relative to the origin of the space; dim is z_dim, w_dim or num_ws · w_dim.
        in_z: whether the space is z.
        course: the settings of the path.
    """

    path: str
    keyframes: Floats
    in_z: bool
    course: Course

    def ws(self, G: Generator, config: RenderConfig, t: Floats) -> Tensor:
        """The ws `[T, num_ws, w_dim]` at times `t` in [0, 1], `[T]`, truncated as `config` says."""
        points = WALKS[self.path].at(self.keyframes, t, self.course)
        psi, cutoff = config.fixed_trunc, config.trunc_cutoff
        if self.in_z:
            return latents.ws_from_z(G, points, psi, cutoff, config.class_index)
        average = latents.w_avg(G)
        offsets = torch.from_numpy(points).to(average)
        if offsets.shape[1] == G.w_dim:
            return latents.ws_from_w(G, average + offsets, psi, cutoff)
        return latents.truncate(G, average + offsets.unflatten(1, [G.num_ws, G.w_dim]), psi, cutoff)


def keyframes_given(config: RenderConfig, walk: WalkConfig) -> int:
    """How many keyframes the files of latents hold; 0 if there are no files.

    Raises:
        SettingsError: a file that cannot be read, or both kinds of files.
    """
    if walk.path_file is not None and config.latents:
        raise SettingsError("--path-file and --latents both name keyframes; leave one of them out")
    if walk.path_file is not None:
        return len(read_latents(walk.path_file))
    return len(latents.usual_seeds(config, 0))


def strand_of(G: Generator, config: RenderConfig, walk: WalkConfig, seeds: Sequence[int]) -> Strand:
    """The walk through the seeds, or through those rows of a file of latents.

    Raises:
        SettingsError: settings that do not suit the network or one another.
    """
    course = Course(
        loop=walk.loop, seed=seeds[0], radius=walk.radius, diameter=walk.diameter, amount=walk.amount
    )
    space = walk.space or WALKS[walk.path].space
    stored = None if walk.path_file is None else read_latents(walk.path_file)
    if stored is None and not config.latents:
        keyframes = latents.z_from_seeds(seeds, G.z_dim)
        if space == "w":
            keyframes = _about_average(G, latents.w_from_z(G, keyframes, config.class_index))
        return Strand(path=walk.path, keyframes=keyframes, in_z=space == "z", course=course)
    if walk.space == "z":
        raise SettingsError("--space z: latents from a file are in w; leave --space out")
    if stored is None:
        ws = latents.ws_from_seeds(G, dataclasses.replace(config, trunc=1.0), seeds)
    else:
        ws = _rows(G, stored, str(walk.path_file), config, seeds)
    is_plain = bool((ws == ws[:, :1]).all())  # one w for all layers
    return Strand(
        path=walk.path,
        keyframes=_about_average(G, ws[:, 0] if is_plain else ws),
        in_z=False,
        course=dataclasses.replace(course, knots=_knots(walk, stored, seeds)),
    )


def _rows(G: Generator, stored: LatentFile, name: str, config: RenderConfig, seeds: Sequence[int]) -> Tensor:
    if max(seeds) >= len(stored):
        raise SettingsError(f"--seeds {max(seeds)}: {name} holds {len(stored)} latents, numbered from 0")
    return latents.stored_ws(G, stored, name, config.class_index)[list(seeds)]


def _knots(walk: WalkConfig, stored: LatentFile | None, seeds: Sequence[int]) -> Floats | None:
    if stored is None or stored.times is None:
        return None
    if not WALKS[walk.path].passes_keyframes:
        raise SettingsError(
            f"{walk.path_file}: has times, but a {walk.path} walk passes no keyframes; take --path spline"
        )
    if walk.even:
        raise SettingsError(f"--even: {walk.path_file} says when each keyframe is passed; leave --even out")
    when = stored.times[list(seeds)]
    if (when[1:] <= when[:-1]).any():
        raise SettingsError("--seeds: the times of the keyframes must rise; name the rows in order")
    return knots_at(when, walk.loop)


def _about_average(G: Generator, w: Tensor) -> Floats:
    """W `[K, w_dim]` or ws `[K, num_ws, w_dim]` relative to `w_avg`, flattened, on the CPU."""
    return (w - latents.w_avg(G)).flatten(1).cpu().double().numpy()
