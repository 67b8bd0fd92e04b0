"""The script as its guardian watches it: a child of its own, or one adopted from a guardian that died."""

from __future__ import annotations

import os
import select

from backprop_tui.domain.values import dataclass
from backprop_tui.processes.identity import Identity, open_pidfd, wait_status_of_stranger

# The supervisor is the subreaper of orphaned scripts and leaves their zombies for two seconds to be read.
REAPED_WITHIN_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the script's process ended; all None where nobody saw it."""

    code: int | None = None
    signal: int | None = None

    @classmethod
    def of(cls, wait_status: int) -> Exit:
        """From the status that wait(2) gives."""
        if os.WIFSIGNALED(wait_status):
            return cls(signal=os.WTERMSIG(wait_status))
        return cls(code=os.WEXITSTATUS(wait_status))

    @property
    def is_known(self) -> bool:
        """Whether anybody saw an exit status."""
        return self.code is not None or self.signal is not None


class ScriptProcess:
    """A script; `pidfd` becomes readable when it dies. `adopted`: not our child, so wait(2) knows nothing of it."""

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
        """A child of this process that is not reaped."""
        return cls(identity, os.pidfd_open(identity.pid), adopted=False)

    @classmethod
    def adopt(cls, identity: Identity) -> ScriptProcess | None:
        """Somebody else's child; None when it is gone."""
        pidfd = open_pidfd(identity)
        return None if pidfd is None else cls(identity, pidfd, adopted=True)

    @property
    def is_reaped(self) -> bool:
        """Whether its pid may mean another process by now."""
        return self._exit is not None

    def has_died(self) -> bool:
        """Whether the process ended; it may not be reaped yet."""
        return self._exit is not None or bool(self._poll.poll(0))

    def collect(self) -> Exit | None:
        """How it ended, reaping it where it is ours; None while that cannot be told yet."""
        if self._exit is None and self.has_died():
            self._exit = self._reap()
        return self._exit

    def give_up(self) -> Exit:
        """Nobody will tell how it ended."""
        self._exit = self._exit or Exit()
        return self._exit

    def reaped(self, wait_status: int) -> None:
        """Somebody in this process reaped it along with other children."""
        self._exit = Exit.of(wait_status)

    def _reap(self) -> Exit | None:
        if not self.adopted:
            return Exit.of(os.waitpid(self.identity.pid, 0)[1])
        status = wait_status_of_stranger(self.pidfd, self.identity.pid)
        return None if status is None else Exit.of(status)
