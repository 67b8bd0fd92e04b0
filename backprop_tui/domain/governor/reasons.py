"""Reasons why a run is held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass


class Check(StrEnum):
    """A check before a start, with the values of the public interface, the most blocking first.

    First those that only a person can lift, then those that last until another run ends, then temporary ones.
    """

    HOST = "host"  # it belongs to a machine that has not been seen for minutes
    RECORD = "record"  # its files cannot be read or written
    QUEUE_HELD = "queue_held"
    DEPENDENCY = "dependency"
    SLURM = "slurm"  # its job waits in the queue of the cluster
    PROBE = "probe"
    GPU_COUNT = "gpu_count"
    GPU_HEALTH = "gpu_health"
    DISK = "disk"
    PARALLEL = "parallel"
    GPU_MEMORY = "gpu_memory"
    RAM = "ram"
    LOAD = "load"
    GPU_TEMPERATURE = "gpu_temperature"
    STARTS = "starts"


_RANK = {check: rank for rank, check in enumerate(Check)}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class HoldReason:
    """A failed check.

    `figure` and `limit` are in bytes, degrees Celsius, load per core, tokens or a count, depending on the check; for a
    dependency the status of the other run, for a GPU's health its value. None: there is no figure. `gpu` is the index
    of the GPU concerned, None for the host. `message` describes the reason and ends with the setting behind it, or with
    the option that asked for it; `setting` is the key of that setting if it changes the limit of this run, or of runs
    queued later. `permanent`: the machine is too small, so the check never passes.
    """

    check: Check
    message: str
    figure: float | str | None = None
    limit: float | str | None = None
    gpu: int | None = None
    setting: str | None = None
    permanent: bool = False

    def by(self, setting: str, value: object) -> HoldReason:
        """Returns the reason with the setting behind it: `load 2.3 per core (governor.max_load_per_core 2)`."""
        return replace(self, message=f"{self.message} ({setting} {value})", setting=setting)

    @property
    def behind(self) -> str:
        """The setting behind it with its value, without one what else the message ends with in parentheses."""
        return self.message.rpartition(" (")[2].removesuffix(")") if self.message.endswith(")") else ""

    def as_permanent(self) -> HoldReason:
        """Returns the reason as one that no waiting lifts."""
        return replace(self, message=f"can never start: {self.message}", permanent=True)


def most_blocking_first(reasons: Iterable[HoldReason]) -> tuple[HoldReason, ...]:
    """Sorts reasons: permanent ones, then by the rank of their check; the order within one check is kept."""
    return tuple(sorted(reasons, key=lambda reason: (not reason.permanent, _RANK[reason.check])))
