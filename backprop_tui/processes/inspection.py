"""Inspects processes in /proc: program, CPU time and standard streams."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.processes.identity import DEAD_STATES, Identity, stat_fields
from backprop_tui.processes.regular_files import read_regular
from backprop_tui.processes.tree import TICKS_PER_SECOND

_STATE, _PARENT, _GROUP, _USER_TICKS, _SYSTEM_TICKS, _START_TIME = 0, 1, 2, 11, 12, 19  # as in identity.py
_SHOWN_CHARACTERS = 60
_PIPE = "pipe:"
# Programs that run a sequence of other commands.
_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox", "tcsh", "csh")
_SEQUENCERS = frozenset((*_SHELLS, "make", "gmake", "xargs", "perl"))
_SOURCE_BYTES = 1 << 20
# A reader that uses this much more CPU time than its writer is not a helper such as tee: the writer feeds it.
_FED_FACTOR = 2.0
_FED_CPU_SECONDS = 2.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """One living process at one moment; texts are empty if /proc does not show them."""

    identity: Identity
    parent: int
    group: int
    state: bytes
    cpu_seconds: float
    executable: str
    command: tuple[str, ...]
    stdin: str
    outputs: tuple[str, str]  # targets of descriptors 1 and 2: a path, pipe:[N] or socket:[N]

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def is_sequencer(self) -> bool:
        """Whether it is a shell, make or the like, which run other programs."""
        return os.path.basename(self.executable).rstrip("0123456789.-") in _SEQUENCERS

    @property
    def program(self) -> str:
        """The executable and the script or module that it runs."""
        words = (word for word in self.command[1:] if not word.startswith("-"))
        return f"{self.executable} {next(words, '')}"

    def runs_with_trap(self) -> bool:
        """Whether this shell's source has a trap, whose commands are not the next training."""
        return any("trap" in _source(word, self.pid) for word in self.command[1:])


def _source(word: str, pid: int) -> str:
    """A word of a shell's command line, or the content of the file that it names."""
    try:
        path = os.path.join(f"/proc/{pid}/cwd", word)
        return read_regular(path, _SOURCE_BYTES, cut=True).decode("utf-8", "replace")
    except (OSError, ValueError):
        return word


def inspect(pids: Iterable[int]) -> dict[int, Inspected]:
    """Inspects processes; those that are gone or dead are left out."""
    inspected: dict[int, Inspected] = {}
    for pid in pids:
        fields = stat_fields(pid)
        if fields is None or fields[_STATE] in DEAD_STATES:
            continue
        inspected[pid] = Inspected(
            identity=Identity(pid, int(fields[_START_TIME])),
            parent=int(fields[_PARENT]),
            group=int(fields[_GROUP]),
            state=fields[_STATE],
            cpu_seconds=(int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / TICKS_PER_SECOND,
            executable=_link(pid, "exe"),
            command=_command(pid),
            stdin=_link(pid, "fd/0"),
            outputs=(_link(pid, "fd/1"), _link(pid, "fd/2")),
        )
    return inspected


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:
        return ""


def _command(pid: int) -> tuple[str, ...]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return ()
    return tuple(word.decode("utf-8", "replace") for word in words)


def short_command(process: Inspected) -> str:
    """Its command line, shortened and safe to show."""
    words = process.command or (os.path.basename(process.executable) or "?",)
    text = sanitize(" ".join((os.path.basename(words[0]), *words[1:])))
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def readers_of_others(processes: Collection[Inspected]) -> set[Identity]:
    """The processes that read the output of others, such as tee: without them the others cannot print.

    Empty if each reads from another, since one has to end first.
    """
    writers: dict[str, list[Inspected]] = {}
    for process in processes:
        for output in process.outputs:
            if output.startswith(_PIPE):
                writers.setdefault(output, []).append(process)
    readers = {process.identity for process in processes if _reads_from(process, writers)}
    return readers if len(readers) < len(processes) else set()


def _reads_from(process: Inspected, writers: Mapping[str, list[Inspected]]) -> bool:
    others = [writer for writer in writers.get(process.stdin, ()) if writer.identity != process.identity]
    if not others:
        return False
    most = max(writer.cpu_seconds for writer in others)
    return process.cpu_seconds < max(_FED_CPU_SECONDS, _FED_FACTOR * most)
