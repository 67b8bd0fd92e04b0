"""Detects a full disk, quota or shared memory: which one, and how much is free there now."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.cause import build_cause, decimal_size
from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.run import Cause

_FULL = (
    r"No space left on device|ENOSPC|Disk quota exceeded|\[Errno 28\]|\[Errno 122\]|database or disk is full"
    r"|insufficient shared memory \(shm\)|unable to write to file </torch_"
)
# Errors without the system's message; they only count if the file system really is full.
_WRITE_FAILED = (
    r"PytorchStreamWriter failed writing|inline_container\.cc.*?unexpected pos|basic_ios::clear: iostream error"
    r"|Can't .*?write data"
)
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the mount point, not a temporary file
_QUOTED_PATH = r"['\"](/?[^'\"\n]+)['\"]"
_NEARLY_FULL_BYTES = 50 * 10**6


def disk(clues: Clues) -> Cause | None:
    """Recognises the system's error messages; a failed write without one counts if little space is free."""
    hit = clues.find(_FULL)
    if hit is not None:
        return _disk_cause(clues, hit, _path_of_error(clues, hit))
    hit = clues.find(_WRITE_FAILED)
    for path in () if hit is None else (clues.facts.cwd, *clues.facts.written_folders):
        system = clues.facts.file_system(path)
        is_full = system is not None and (system.free_bytes < _NEARLY_FULL_BYTES or system.free_files == 0)
        if hit is not None and is_full:
            return _disk_cause(clues, hit, path)
    return None


def _disk_cause(clues: Clues, hit: Hit, path: str) -> Cause:
    system = clues.facts.file_system(path)
    if path == SHARED_MEMORY:
        free = "" if system is None else f": {decimal_size(system.free_bytes)} free"
        advice = "use fewer or no loader workers (num_workers), or a larger /dev/shm (docker: --shm-size 8g)"
        return build_cause("disk_full", at=hit.line, summary=f"{SHARED_MEMORY} is full{free}", advice=advice)
    problem = "quota exceeded" if "quota" in hit.text or "[Errno 122]" in hit.text else "disk full"
    if system is None:
        return build_cause("disk_full", at=hit.line, summary=problem, advice="free some space, then resume")
    free = f"{decimal_size(system.free_bytes)} free now"
    if system.free_files == 0:
        free = "no inodes left, so no more files can be created"
    return build_cause(
        "disk_full",
        at=hit.line,
        summary=f"{problem}: {system.mount}, {free}",
        advice=f"free some space on {system.mount} (backprop-tui clean, older checkpoints), then resume",
    )


def _path_of_error(clues: Clues, hit: Hit) -> str:
    """The path in the message, else the run's working directory, where nearly everything is written."""
    if re.search(r"\(shm\)|</torch_|/dev/shm", hit.text):
        return SHARED_MEMORY
    match = re.search(rf"(?:Errno \d+\][^'\"]*|directory |file ){_QUOTED_PATH}", hit.text)
    if match is None:
        return clues.facts.cwd
    return match[1] if match[1].startswith("/") else f"{clues.facts.cwd}/{match[1]}"
