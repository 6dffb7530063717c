"""Have the C library keep the memory it has, instead of giving it back to the system after every operation.

Feature maps are tens of megabytes, which glibc by default maps anew for each and unmaps when it is freed: the kernel
then clears every page again and again, and a training on the CPU spends up to half of its time on that. With the
two thresholds off, freed memory is used again as it is. Other C libraries are left alone; so is a choice made by
the environment (`MALLOC_…`, `GLIBC_TUNABLES`), and a preloaded allocator knows no `mallopt` of glibc's kind or
ignores it.
"""

import ctypes
import functools
import os
import sys

__all__ = ["keep_freed_memory"]

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
    if not sys.platform.startswith("linux") or any(name in os.environ for name in _CHOSEN_BY_USER):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version") or not hasattr(libc, "mallopt"):
        return False  # musl has neither
    # Each returns 1 when done. No trimming is -1; no mappings leaves the one heap to grow.
    options = [(_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD_BYTES)]
    return all([libc.mallopt(parameter, value) == 1 for parameter, value in options])  # noqa: C419 - all of them
