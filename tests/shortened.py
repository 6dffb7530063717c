"""Makes the lines of a page quick enough to be run in a test, by the rules below, which change nothing else.

Training lasts 32 pictures, or 16 more where a run is continued; a film lasts half a second, a search eight steps,
and a moment of a run (`RUN@2`) becomes the last there is. What talks to the world, or serves until it is stopped, is
left out: `NOT_RUN` names it. That those lines parse is tested with all others.
"""

import re
import shlex
from collections.abc import Iterator

__all__ = ["NOT_RUN", "shortened"]

NOT_RUN = ("scrape", "studio", "models pull", "ops build", "ops bench")
"""Commands that are only parsed."""
_RULES = (
    (r"^(finetune .*--resume .*)--kimg [\d.]+", r"\1--kimg 0.048"),
    (r"^(finetune .*--data .*)--kimg [\d.]+", r"\1--kimg 0.032"),
    (r"^(finetune .*--data .*)", r"\1 --batch 8"),
    (r" --batch 16(?= .*--batch 8)", ""),
    (r"^(finetune .*)--snapshots \S+", r"\1--snapshots 0"),
    (r"^demo( .*)", r"demo\1 --kimg 0.016"),
    (r"^(finetune .*)--base start128.safetensors", r"\1--base start128.safetensors --no-score"),
    (r"^finetune (?!.*--gpus)(?!.* -o )(?!.*--resume)(.*)", r"finetune \1 -o more"),
    (r"^(render latent-walk .*|render (?:truncation|dial|timeline) .*\.mp4)$", r"\1 --seconds 0.5"),
    (r" --seconds [\d.]+(?= .*--seconds 0.5)", ""),
    (r"^(project .*)", r"\1 --steps 8"),
    (r" --steps \d+(?= .*--steps 8)", ""),
    (r"(runs/\S+)@[\d.]+", r"\1"),
    (r"\bRUN(@[\d.]+)?\b", "runs/00000-rocks-faces64"),
    (r"--kimg (0s:0,10s:6|1\.3)", "--kimg 0.01"),
    (r"^roll (.*)--n \d+", r"roll \1--n 12"),
)


def shortened(lines: list[str]) -> Iterator[list[str]]:
    """The arguments of each line that is to be run, without `bend`."""
    for line in lines:
        text = line.removeprefix("bend ")
        if text.startswith(NOT_RUN):
            continue
        for pattern, replacement in _RULES:
            text = re.sub(pattern, replacement, text)
        yield shlex.split(text)
