"""What an empty store says: how to begin, and what was found on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.governor.figures import counted
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.view.header import SIMULATED
from backprop_tui.tui.wording import numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginningView:
    """`ways` are keys with what they do; `checked` are clauses, none before the machine was measured."""

    ways: Sequence[tuple[str, str]]
    checked: Sequence[str]


def beginning_view(snapshot: Snapshot, *, example: bool) -> BeginningView | None:
    """None where there are runs; `example` tells whether the example is on this machine."""
    if not snapshot.is_beginning:
        return None
    ways = [("n", "start your own script; or paste its command line here, or drop it on this window")]
    if example:
        ways.append(("e", "try the shipped example: 2 minutes, any CPU, a real loss curve"))
    ways.append(("d", "look at the demo: simulated GPUs, real example runs, clearly labelled"))
    return BeginningView(ways=tuple(ways), checked=tuple(_checked(snapshot)))


def _checked(snapshot: Snapshot) -> list[str]:
    sample = snapshot.sample
    if sample is None:
        return []
    readings = sample.readings
    gpus = len(readings.gpus)
    found = [_gpus(gpus, readings.probe) if gpus else "no GPU, runs go to the CPU"]
    disk = readings.host.disk_free_bytes
    found += [] if disk is None else [f"{numbers.size(disk)} disk free"]
    logout = snapshot.logout
    if logout is not None:
        fate = "runs survive logout" if logout.survives else "logout ends runs"
        found.append(f"{fate} ({logout.words})")
    return found


def _gpus(count: int, probe: str) -> str:
    return counted(count, "simulated GPU") if probe == SIMULATED else f"{counted(count, 'GPU')} by {neutral(probe)}"
