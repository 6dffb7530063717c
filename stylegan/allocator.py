"""Have the C library keep freed memory, instead of giving it back to the system after every operation.

Feature maps are tens of megabytes. By default glibc maps memory anew for each and unmaps it when it is freed, so that
the kernel clears every page again and again: up to half of the time of a training on the CPU. With both thresholds off,
freed memory is reused as it is. A program that runs for hours and seldom does something large, such as the studio,
gives memory back in between. Other C libraries are left alone, and so is a choice made in the environment (`MALLOC_…`,
`GLIBC_TUNABLES`). A preloaded allocator either has no `mallopt` or ignores the call.
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
    """Keep freed memory for the rest of the process; further calls do nothing.

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
    """Give back the memory that is free now; it takes a millisecond or two, and slows what is allocated next a little.

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
    is_glibc = all(hasattr(libc, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim"))
    return libc if is_glibc else None
