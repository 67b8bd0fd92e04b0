"""What a run takes along from the shell where it is queued: environment, umask, niceness, limits, the git commit."""

from __future__ import annotations

import os
import resource
import select
import time
from collections.abc import Iterable

from backprop_tui.domain.run import Git, Process
from backprop_tui.store.code_state import commit_of

GIT_SECONDS = 2.0  # a huge repository on a slow disk must not keep a run from starting
_LIMITS = tuple(name for name in dir(resource) if name.startswith("RLIMIT_"))


def captured_environment(additions: Iterable[tuple[str, str]], cwd: str) -> dict[str, str]:
    """The environment of this shell with what `--env` adds; PWD agrees with the run's directory."""
    return {**os.environ, "PWD": cwd, **dict(additions)}


def captured_process() -> Process:
    """What a process inherits besides its environment."""
    umask = os.umask(0o077)
    os.umask(umask)
    # Two names may mean one limit (RLIMIT_OFILE is the old one of RLIMIT_NOFILE): the first in the alphabet stays.
    limits = {int(getattr(resource, name)): name for name in sorted(_LIMITS, reverse=True)}
    return Process(
        umask=umask,
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        rlimits=tuple((name, *resource.getrlimit(number)) for number, name in sorted(limits.items())),
    )


def visible_gpus(environment: dict[str, str]) -> tuple[str, ...] | None:
    """An inherited CUDA_VISIBLE_DEVICES; None where there is none. A -1 hides what follows, as CUDA reads it."""
    value = environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    ids = [one.strip() for one in value.split(",")]
    seen = ids[: ids.index("-1")] if "-1" in ids else ids
    return tuple(one for one in seen if one)


class GitQuestion:
    """Asks git about a directory while other things are done.

    Without git, or without a quick answer of it, the commit is read from the repository's files, and whether there
    are changes is not known. None: there is no repository, or it has no commit.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pid: int | None = None
        self._reading = -1
        if _in_repository(folder):
            self._ask(folder)

    def _ask(self, folder: str) -> None:
        """Spawned, not forked: fork would copy this process's page tables, and subprocess costs its import."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        command = ["git", "-C", folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
        try:
            self._pid = os.posix_spawnp(
                command[0],
                command,
                {**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
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
        """The commit and whether it has changes; to be asked once."""
        content = None if self._pid is None else self._ended(self._pid)
        return self._read_from_files() if content is None else _understood(content)

    def _read_from_files(self) -> Git | None:
        commit = commit_of(self._folder)
        return None if commit is None else Git(commit=commit, dirty=None)

    def _ended(self, pid: int) -> bytes | None:
        """What git said; None where that takes too long."""
        content = self._read()
        os.close(self._reading)
        if content is None:
            os.kill(pid, 9)  # our own child, not reaped yet
        os.waitpid(pid, 0)
        self._pid = None
        return content

    def _read(self) -> bytes | None:
        """Everything it says; None where it takes too long."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        end = time.monotonic() + GIT_SECONDS
        content = b""
        while poll.poll(max(0.0, end - time.monotonic()) * 1000):
            chunk = os.read(self._reading, 65536)
            if not chunk:
                return content
            content += chunk
        return None


def _in_repository(folder: str) -> bool:
    while not os.path.exists(os.path.join(folder, ".git")):
        if folder == os.path.dirname(folder):
            return False
        folder = os.path.dirname(folder)
    return True


def _understood(content: bytes) -> Git | None:
    """Lines of `git status --porcelain=v2 --branch`: headers begin with #, changes do not. See git-status(1)."""
    lines = content.decode("utf-8", "replace").splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
    if commit is None or commit == "(initial)":
        return None
    return Git(commit=commit, dirty=any(not line.startswith("#") for line in lines))
