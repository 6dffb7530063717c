"""`python -m bend.prepare.worker`: one process of `bend.prepare.parallel`.

Reads pickles from standard input, first a function and then its arguments, and writes the pickled result of each to
standard output. It ends when its input does.
"""

import os
import pickle
import sys

__all__ = ["main"]


def main() -> None:
    """Serve until the input ends or nobody listens."""
    questions = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints must not get among the answers
    try:
        function = pickle.load(questions)
        while True:
            result = function(pickle.load(questions))
            pickle.dump(result, answers)
            answers.flush()
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # without flushing what nobody will read


if __name__ == "__main__":
    main()
