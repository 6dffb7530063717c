"""`python -m bend`, and `torchrun … -m bend`: the command line."""

import sys
from pathlib import Path

if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    del sys.path[0]  # `torchrun bend …` runs this folder as a script; its modules must not be top-level ones

from bend import ranks
from bend.cli import main
from stylegan.launch import is_launched

if __name__ == "__main__":
    try:
        main()
    except SystemExit as ended:
        if is_launched():
            ranks.leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
        raise
