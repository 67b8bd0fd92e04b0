"""Why a run is held: the check that holds it, with figure, limit and a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from backprop_tui.domain.values import dataclass


class Check(StrEnum):
    """What the governor asks before a start, in the words of the public interface, the most blocking first.

    First what only a person lifts, then what lasts until another run ends, then what passes by itself.
    """

    QUEUE_HELD = "queue_held"
    DEPENDENCY = "dependency"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReason:
    """One check that says no.

    `figure` and `limit` are in bytes, degrees Celsius, load per core, tokens or a count, as the check goes; a
    dependency's figure is the status of the run waited for, a GPU's health is its word. None: there is no figure.
    `gpu` is the index of the GPU it is about, None for the host. `message` says all of it in words.
    """

    check: Check
    message: str
    figure: float | str | None = None
    limit: float | str | None = None
    gpu: int | None = None


def most_blocking_first(reasons: Iterable[HoldReason]) -> tuple[HoldReason, ...]:
    """The reasons by rank of their check; those of one check stay in their order."""
    return tuple(sorted(reasons, key=lambda reason: _RANK[reason.check]))
