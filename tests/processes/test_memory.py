"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import os

import pytest

from backprop_tui.processes.linux import return_free_memory

BLOCKS, BLOCK_BYTES = 40_000, 1000  # too large for the allocator of Python, too small to be mapped each by itself


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="a function of glibc")
def test_what_was_freed_below_something_that_stays_is_given_back() -> None:
    blocks = [bytearray(BLOCK_BYTES) for _ in range(BLOCKS)]
    last = bytearray(BLOCK_BYTES)  # keeps the end of the heap, so that free() gives nothing back
    blocks.clear()
    before = resident_bytes()
    return_free_memory()
    assert before - resident_bytes() > BLOCKS * BLOCK_BYTES // 2
    assert len(last) == BLOCK_BYTES
