"""What processes on two hosts say to each other: torchrun runs this, and each host's folder records the outcome."""

import json
import time
from pathlib import Path

from stylegan.distributed import join

__all__: list[str] = []


def _main() -> None:
    with join("cpu") as team:
        assert team.launch is not None
        with team.one_a_host_first():
            with Path("turns").open("a") as turns:
                turns.write(f"begin {team.launch.local_rank}\n")
            time.sleep(0.5 if team.is_first_here else 0)
            with Path("turns").open("a") as turns:
                turns.write(f"end {team.launch.local_rank}\n")
        said = team.all_say(
            (team.rank, team.launch.local_rank, team.launch.local_size, team.launch.is_spread)
        )
        if team.is_first:
            blobs = [[team.take_from(rank).decode() for _ in range(2)] for rank in range(1, team.size)]
            Path("said").write_text(json.dumps({"said": said, "blobs": blobs}))
        else:
            team.give_first(f"from {team.rank}".encode())
            team.give_first(b"and more")


if __name__ == "__main__":
    _main()
