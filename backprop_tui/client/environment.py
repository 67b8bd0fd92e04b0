"""What a run takes along from where it is queued: environment, umask, niceness, resource limits, the git commit."""

from __future__ import annotations

import os
import re
import resource
import select
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from backprop_tui.domain.run import Git, Process
from backprop_tui.store.code_state import commit_of, executes_programs
from backprop_tui.store.files import folders_upward

GIT_SECONDS = 2.0  # a huge repository on a slow disk must not keep a run from starting
_STATUS = (
    *("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "status"),
    *("--porcelain=v2", "--branch", "--untracked-files=no", "--ignore-submodules=dirty"),
)
_GIT_VARIABLES = {"GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none"}  # a partial clone would fetch what it lacks
_LIMITS = tuple(name for name in dir(resource) if name.startswith("RLIMIT_"))


def captured_environment(
    environment: Mapping[str, str], additions: Iterable[tuple[str, str]], cwd: str
) -> dict[str, str]:
    """The given environment with the additions of `--env`; PWD is set to the run's directory."""
    return {**environment, "PWD": cwd, **dict(additions)}


def captured_process() -> Process:
    # Two names may mean one limit (RLIMIT_OFILE is the old name of RLIMIT_NOFILE): the first in the alphabet is kept.
    limits = {int(getattr(resource, name)): name for name in sorted(_LIMITS, reverse=True)}
    return Process(
        umask=_umask(),
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        rlimits=tuple((name, *resource.getrlimit(number)) for number, name in sorted(limits.items())),
    )


def _umask() -> int:
    """Reads from /proc: umask(2) can only be read by setting it, which other threads of the dashboard would notice."""
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"Umask:"):
                return int(line.split()[1], 8)
    return 0o022


def visible_gpus(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """The GPUs of an inherited CUDA_VISIBLE_DEVICES; None if it is not set. A -1 hides what follows, as in CUDA."""
    value = environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    ids = [gpu_id.strip() for gpu_id in value.split(",")]
    visible = ids[: ids.index("-1")] if "-1" in ids else ids
    return tuple(gpu_id for gpu_id in visible if gpu_id)


class GitQuery:
    """Asks git about a directory while other work is done.

    If git is missing, too slow, or would execute what the repository's configuration names, the commit is read from the
    repository's files, and whether there are changes is unknown. The answer is None if there is no repository, or it
    has no commit.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pid: int | None = None
        self._reading = -1
        self._root = next((above for above in folders_upward(folder) if os.path.exists(f"{above}/.git")), None)
        if self._root is None or executes_programs(folder):
            return
        # Spawned, not forked: fork would copy this process's page tables, and importing subprocess is slow.
        reading, writing = os.pipe2(os.O_CLOEXEC)
        variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        try:
            self._pid = os.posix_spawnp(
                _STATUS[0],
                [*_STATUS[:1], "-C", folder, *_STATUS[1:]],
                variables | _GIT_VARIABLES,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, writing, 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
            )
            self._reading = reading
        except OSError:  # there is no git
            os.close(reading)
        finally:
            os.close(writing)

    def answer(self) -> Git | None:
        """The commit and whether there are changes; call this exactly once."""
        output = None if self._pid is None else self._collect(self._pid)
        if output is not None:
            git = _parse(output)
            return replace(git, dirty=True) if git is not None and not git.dirty and self._has_dirty_module() else git
        commit = commit_of(self._folder)
        return None if commit is None else Git(commit=commit, dirty=None)

    def _has_dirty_module(self) -> bool:
        """Whether a submodule has changes; each is asked by itself, since it has a configuration of its own."""
        try:
            with open(f"{self._root}/.gitmodules", encoding="utf-8") as file:
                paths = re.findall(r"^\s*path\s*=\s*(\S.*?)\s*$", file.read(), re.MULTILINE)
        except (OSError, UnicodeDecodeError):
            return False
        answers = [GitQuery(f"{self._root}/{path}") for path in paths if os.path.exists(f"{self._root}/{path}/.git")]
        return any(git is not None and git.dirty for git in [query.answer() for query in answers])

    def _collect(self, pid: int) -> bytes | None:
        output = self._read()
        os.close(self._reading)
        if output is None:
            os.kill(pid, 9)  # our own child, not reaped yet
        os.waitpid(pid, 0)
        self._pid = None
        return output

    def _read(self) -> bytes | None:
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        end = time.monotonic() + GIT_SECONDS
        output = b""
        while poll.poll(max(0.0, end - time.monotonic()) * 1000):
            chunk = os.read(self._reading, 65536)
            if not chunk:
                return output
            output += chunk
        return None


def _parse(output: bytes) -> Git | None:
    """Parses `git status --porcelain=v2 --branch`: headers begin with #, changes do not. See git-status(1)."""
    lines = output.decode("utf-8", "replace").splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
    if commit is None or commit == "(initial)":
        return None
    return Git(commit=commit, dirty=any(not line.startswith("#") for line in lines))
