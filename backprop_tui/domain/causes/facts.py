"""What is known of a dead script besides its log: its exit, what it was started with, the machine at that moment."""

from __future__ import annotations

from collections.abc import Callable

from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """Where a path lies, and what is left there."""

    mount: str
    free_bytes: int
    free_files: int | None = None  # None where the file system does not count them


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuHolder:
    """Somebody else's process on a GPU of the run; `who` in words."""

    gpu_index: int
    who: str
    memory_bytes: int | None = None


def _nowhere(_path: str) -> FileSystem | None:
    return None


def _no_module(_name: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """None or empty is unknown. The two questions are asked only by the detectors that need an answer."""

    exit_code: int | None = None
    signal: str | None = None
    command: tuple[str, ...] = ()
    cwd: str = "/"
    written_folders: tuple[str, ...] = ()  # where its checkpoints went
    interpreter: str | None = None
    python_origin: str | None = None  # how the interpreter was found
    gpu_indices: tuple[int, ...] = ()  # of the machine, in the order in which the script counts them
    memory_kill: str | None = None  # the kernel's or control group's word that memory ran out, in words
    memory_kills_counted: bool = False  # whether its control group would have shown one
    gpu_trouble: str | None = None  # a GPU of the run was lost while it ran, in words
    gpu_holders: tuple[GpuHolder, ...] = ()
    nan_loss: str | None = None  # the newest loss that is no number, in words
    file_system: Callable[[str], FileSystem | None] = _nowhere
    local_module: Callable[[str], str | None] = _no_module  # where a module of that name lies near the script
