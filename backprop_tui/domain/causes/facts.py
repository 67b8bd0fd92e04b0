"""Facts about an ended script besides its log: its exit status, how it was started, and the state of the machine."""

from __future__ import annotations

from collections.abc import Callable

from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """The file system of a path, and its free space."""

    mount: str
    free_bytes: int
    free_files: int | None = None  # None if the file system does not count them


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuHolder:
    """A foreign process on a GPU of the run; `who` describes it."""

    gpu_index: int
    who: str
    memory_bytes: int | None = None


def _unknown_file_system(_path: str) -> FileSystem | None:
    return None


def _unknown_module(_name: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """None or empty means unknown. The two callables are only called by the detectors that need them."""

    exit_code: int | None = None
    signal: str | None = None
    command: tuple[str, ...] = ()
    cwd: str = "/"
    written_folders: tuple[str, ...] = ()  # folders of its checkpoints
    interpreter: str | None = None
    python_origin: str | None = None  # how the interpreter was found
    gpu_indices: tuple[int, ...] = ()  # the machine's indices, in the order in which the script counts them
    memory_kill: str | None = None  # describes an out-of-memory kill reported by the kernel or control group
    memory_kills_counted: bool = False  # whether the control group counts such kills
    gpu_trouble: str | None = None  # describes a GPU of the run that was lost while it ran
    gpu_holders: tuple[GpuHolder, ...] = ()
    nan_loss: str | None = None  # describes the newest loss that was NaN or infinite
    file_system: Callable[[str], FileSystem | None] = _unknown_file_system
    local_module: Callable[[str], str | None] = _unknown_module  # the folder of a module of that name near the script
