"""What any launcher does: make a guardian start for a run directory."""

from __future__ import annotations

from typing import Protocol

from backprop_tui.domain.values import dataclass
from backprop_tui.store.locks import Lock


class LaunchFailed(Exception):
    """The launcher cannot tell whether a guardian came to life; the run's lock tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianHandle:
    """A guardian process of this machine; `pidfd` becomes readable when it ends, and belongs to the holder of this."""

    pid: int
    pidfd: int


class Launcher(Protocol):
    """Starts guardians: locally as processes; elsewhere as jobs of a scheduler."""

    def launch(self, run_folder: str, lock: Lock, *, adopting: bool) -> GuardianHandle:
        """A guardian that holds the run's lock from now on; the caller closes its own descriptor.

        Raises:
            LaunchFailed: nobody answered.
        """
