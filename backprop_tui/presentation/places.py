"""Where a run is: its machine, if that is another than the one that is looked from, and its GPUs."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.run import SLURM
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.store.fields import JsonObject


def place_of(record: JsonObject, here: str) -> str:
    """`0,1` on this machine, `n1:0` on another one, `n1` without GPUs there; `here` is the name of this machine."""
    node, gpus = _node(record, here), gpus_of(record)
    return f"{node}:{gpus}" if node and gpus else node or gpus


def place_clause(run: KnownRun, here: str) -> str:
    """`on n1, GPU 0`: where an unfinished run of another machine is; empty for one of this machine.

    A run that waits for Slurm is nowhere yet.
    """
    node, gpus = _node(run.record, here), gpus_of(run.record)
    waits_there = run.status is Status.QUEUED and run.record["launcher"] != SLURM
    if not node or not (run.status in ACTIVE or waits_there):
        return ""
    return f"on {node}" + (f", GPU {gpus}" if gpus else "")


def _node(record: JsonObject, here: str) -> str:
    """The machine without its domain; empty for this one."""
    host = str(record["host"])
    return "" if host == here else sanitize(host.partition(".")[0])


def gpus_of(record: JsonObject) -> str:
    """The indices of the GPUs of a run in few letters."""
    gpus = record.get("gpus")
    return index_ranges(sorted(int(gpu["index"]) for gpu in gpus)) if isinstance(gpus, list | tuple) else ""


def index_ranges(indices: Sequence[int]) -> str:
    """GPU indices in few letters: 0, 2,3 or 4-7."""
    parts: list[str] = []
    start = 0
    for position, index in enumerate(indices):
        if position + 1 < len(indices) and indices[position + 1] == index + 1:
            continue
        first = indices[start]
        parts += (
            [f"{first}-{index}"] if index - first >= 2 else [str(single) for single in indices[start : position + 1]]
        )
        start = position + 1
    return ",".join(parts)
