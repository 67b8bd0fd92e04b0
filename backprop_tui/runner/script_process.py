"""The script's process: a child of this guardian, or one adopted from a guardian that died."""

from __future__ import annotations

import os
import select

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.identity import Identity, open_pidfd, wait_status_of_nonchild

# The supervisor is the subreaper of orphaned scripts, and keeps their zombies for two seconds so they can be read.
REAPED_WITHIN_SECONDS = 4.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the script's process ended; all None where nobody saw it."""

    code: int | None = None
    signal: int | None = None

    @classmethod
    def of(cls, wait_status: int) -> Exit:
        """From a status of wait(2)."""
        if os.WIFSIGNALED(wait_status):
            return cls(signal=os.WTERMSIG(wait_status))
        return cls(code=os.WEXITSTATUS(wait_status))

    @property
    def is_known(self) -> bool:
        """Whether an exit status was seen."""
        return self.code is not None or self.signal is not None


class ScriptProcess:
    """A script; `pidfd` becomes readable when it dies. `adopted`: it is not our child, so wait(2) does not work."""

    __slots__ = ("_exit", "_poll", "adopted", "identity", "pidfd")

    def __init__(self, identity: Identity, pidfd: int, *, adopted: bool) -> None:
        self.identity = identity
        self.pidfd = pidfd
        self.adopted = adopted
        self._exit: Exit | None = None
        self._poll = select.poll()
        self._poll.register(pidfd, select.POLLIN)

    @classmethod
    def child(cls, identity: Identity) -> ScriptProcess:
        """A child of this process that is not reaped yet."""
        return cls(identity, os.pidfd_open(identity.pid), adopted=False)

    @classmethod
    def adopt(cls, identity: Identity) -> ScriptProcess | None:
        """Another process's child; None if it is gone."""
        pidfd = open_pidfd(identity)
        return None if pidfd is None else cls(identity, pidfd, adopted=True)

    @property
    def is_reaped(self) -> bool:
        """Whether it was reaped, so that its pid may belong to another process by now."""
        return self._exit is not None

    def has_died(self) -> bool:
        """Whether the process has ended; it may not be reaped yet."""
        return self._exit is not None or bool(self._poll.poll(0))

    def collect(self) -> Exit | None:
        """Reaps the process if it is ours; returns how it ended, None while that is not known yet."""
        if self._exit is None and self.has_died():
            self._exit = self._reap()
        return self._exit

    def give_up(self) -> Exit:
        """Stops waiting for the exit status: it stays unknown."""
        self._exit = self._exit or Exit()
        return self._exit

    def mark_reaped(self, wait_status: int) -> None:
        """Records its exit status after this process reaped it together with other children."""
        self._exit = Exit.of(wait_status)

    def _reap(self) -> Exit | None:
        if not self.adopted:
            return Exit.of(os.waitpid(self.identity.pid, 0)[1])
        status = wait_status_of_nonchild(self.pidfd, self.identity.pid)
        return None if status is None else Exit.of(status)
