"""Have the C library keep the memory it has, instead of giving it back to the system after every operation.

Feature maps are tens of megabytes, which glibc by default maps anew for each and unmaps when it is freed: the kernel
then clears every page again and again, and a training on the CPU spends up to half of its time on that. With the
two thresholds off, freed memory is used again as it is. What runs for hours and does now and then something large, as
the studio, gives back in between what is free. Other C libraries are left alone; so is a choice made by
the environment (`MALLOC_…`, `GLIBC_TUNABLES`), and a preloaded allocator knows no `mallopt` of glibc's kind or
ignores it.
"""

import ctypes
import functools
import os
import sys

__all__ = ["give_back_freed_memory", "keep_freed_memory"]

# Parameters of mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_TOP_PAD_BYTES = 64 << 20
_CHOSEN_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES")


@functools.cache
def keep_freed_memory() -> bool:
    """Keep freed memory for the rest of the process; once is enough, more does no harm.

    Returns:
        Whether it was done: False off Linux, without glibc, or where the environment chose otherwise.
    """
    libc = _glibc()
    if libc is None or any(name in os.environ for name in _CHOSEN_BY_USER):
        return False
    # Each returns 1 when done. No trimming is -1; no mappings leaves the one heap to grow.
    options = [(_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD_BYTES)]
    return all([libc.mallopt(parameter, value) == 1 for parameter, value in options])  # noqa: C419 - all of them


def give_back_freed_memory() -> bool:
    """Give back what is free now, once; it takes a millisecond or two, and a little of what is used next.

    Returns:
        Whether there was any: False off Linux, or without glibc.
    """
    libc = _glibc()
    return libc is not None and libc.malloc_trim(0) == 1


def _glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc; musl has none of this."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return (
        libc
        if all(hasattr(libc, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim"))
        else None
    )
