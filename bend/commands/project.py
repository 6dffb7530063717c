"""`bend project`: find the latent of a picture."""

import dataclasses
import json
from pathlib import Path

import click

from bend.config import ProjectConfig
from bend.options.render import project_options
from bend.options.shared import force_option, json_option, output_option
from bend.options.typed import RenderCommand, typed_command

__all__ = ["project"]


@click.command(cls=RenderCommand)
@click.argument("picture", type=click.Path(path_type=Path), metavar="IMAGE")
@output_option("The .npz to write; the comparison goes beside it as .comparison.png.")
@project_options
@click.option("--film", type=click.Path(path_type=Path), metavar="PATH", help="Film the search as well.")
@force_option
@json_option
def project(
    *, config: ProjectConfig, picture: Path, output: Path, film: Path | None, force: bool, as_json: bool
) -> None:
    """Find the w of a picture, which every render can then draw with --latents.

    Example: bend project me.jpg -o out/me.npz --space w+
    """
    from bend.projection.picture import project_picture

    done = project_picture(picture, config, output, film=film, force=force, command=typed_command())
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done), default=str))
        return
    click.echo(
        f"{done.output}: distance {done.first_distance:.3f} -> {done.last_distance:.3f}"
        f" ({done.perception}); see {done.comparison}"
    )
