"""A disk, a quota or shared memory that was full: which one, and how much is left there now."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.causes.words import decimal_size
from backprop_tui.domain.run import Cause

_FULL = (
    r"No space left on device|ENOSPC|Disk quota exceeded|\[Errno 28\]|\[Errno 122\]|database or disk is full"
    r"|insufficient shared memory \(shm\)|unable to write to file </torch_"
)
# What is written in place of the system's word; it counts only where the file system really is full.
_UNTOLD = (
    r"PytorchStreamWriter failed writing|inline_container\.cc.*?unexpected pos|basic_ios::clear: iostream error"
    r"|Can't .*?write data"
)
_SHARED = "/dev/shm"  # noqa: S108 - where it lies, not a file of ours
_QUOTED = r"['\"](/?[^'\"\n]+)['\"]"
_NEARLY_BYTES = 50 * 10**6


def disk(clues: Clues) -> Cause | None:
    """By the system's word; a writer that failed without it counts where little is free."""
    hit = clues.find(_FULL)
    if hit is not None:
        return _cause(clues, hit, _path(clues, hit))
    hit = clues.find(_UNTOLD)
    for path in () if hit is None else (clues.facts.cwd, *clues.facts.written_folders):
        there = clues.facts.file_system(path)
        if hit is not None and there is not None and (there.free_bytes < _NEARLY_BYTES or there.free_files == 0):
            return _cause(clues, hit, path)
    return None


def _cause(clues: Clues, hit: Hit, path: str) -> Cause:
    there = clues.facts.file_system(path)
    if path == _SHARED:
        left = "" if there is None else f": {decimal_size(there.free_bytes)} free"
        advice = "fewer or no loader workers (num_workers), or a larger /dev/shm (docker: --shm-size 8g)"
        return made("disk_full", at=hit.line, summary=f"{_SHARED} is full{left}", advice=advice)
    what = "quota exceeded" if "quota" in hit.text or "[Errno 122]" in hit.text else "disk full"
    if there is None:
        return made("disk_full", at=hit.line, summary=what, advice="free some space, then resume")
    left = f"{decimal_size(there.free_bytes)} free now"
    if there.free_files == 0:
        left = "no file can be made any more (inodes)"
    return made(
        "disk_full",
        at=hit.line,
        summary=f"{what}: {there.mount}, {left}",
        advice=f"free some space on {there.mount} (backprop-tui clean, older checkpoints), then resume",
    )


def _path(clues: Clues, hit: Hit) -> str:
    """The path that is named, else the directory of the run, where nearly everything is written."""
    if re.search(r"\(shm\)|</torch_|/dev/shm", hit.text):
        return _SHARED
    found = re.search(rf"(?:Errno \d+\][^'\"]*|directory |file ){_QUOTED}", hit.text)
    if found is None:
        return clues.facts.cwd
    return found[1] if found[1].startswith("/") else f"{clues.facts.cwd}/{found[1]}"
