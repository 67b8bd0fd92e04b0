"""Runs on GPUs: their limits, the variables they get, and what happens to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.limits import GIGABYTE, RunLimits
from backprop_tui.domain.run import Ended, Gpu
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import read_object
from backprop_tui.store.run_directory import read_lines
from tests.support.sandbox import NO_LIMITS, Sandbox, Submitted

# A child, and a grandchild in a session of its own; each runs forever.
FAMILY = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
while True: time.sleep(0.01)
"""
ENDLESS = "import time\nwhile True: time.sleep(0.05)"
# Prints the variables about GPUs.
GPU_VARIABLES = (
    "import os\n"
    "for name in ('CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER', 'ROCR_VISIBLE_DEVICES', 'XLA_CLIENT_MEM_FRACTION',\n"
    "             'XLA_PYTHON_CLIENT_MEM_FRACTION', 'TF_FORCE_GPU_ALLOW_GROWTH', 'BACKPROP_GPU_MEMORY_FRACTION'):\n"
    "    print(name, '=', os.environ.get(name, 'unset'), sep='')\n"
)


def limits(**fields: Any) -> RunLimits:
    """The sandbox's limits, with the default GPU limits except for these."""
    return replace(NO_LIMITS, **fields)


def given(run: Submitted) -> tuple[Gpu, ...]:
    """The GPUs of its newest attempt."""
    return run.run().attempt.gpus


def indices(run: Submitted) -> tuple[int, ...]:
    """The indices of the GPUs of its newest attempt."""
    return tuple(gpu.index for gpu in given(run))


def variables_of(run: Submitted) -> dict[str, str]:
    """The output of the script GPU_VARIABLES."""
    run.wait_for_end()
    return dict(line.split("=", 1) for line in run.log().decode().splitlines())


def ended(run: Submitted, *, seconds: float = 20.0) -> Ended:
    """Waits for its end."""
    state = run.wait_for_end(seconds=seconds).state
    assert isinstance(state, Ended)
    return state


def events(run: Submitted, kind: str) -> list[JsonObject]:
    """Its events of this kind, oldest first."""
    return [event for event in read_lines(run.directory.file("events.jsonl")) if event["event"] == kind]


def held(sandbox: Sandbox, run: Submitted) -> list[JsonObject]:
    """Why it is held, according to governor.json."""
    governor = read_object(sandbox.home.host_file("governor.json")) or {}
    reasons: Any = governor.get("held", {})
    return list(reasons.get(run.id, []))


def held_by(sandbox: Sandbox, run: Submitted, check: str) -> JsonObject:
    """The first reason of this check, once there is one."""

    def reason() -> JsonObject | None:
        return next((reason for reason in held(sandbox, run) if reason["check"] == check), None)

    return run.wait(reason, f"held by {check}")


def gigabytes(count: float) -> int:
    return round(count * GIGABYTE)
