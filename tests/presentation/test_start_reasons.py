"""A run that would wait says why in few words, and what to do first."""

from __future__ import annotations

import pytest

from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.limits import MEGABYTE
from backprop_tui.presentation.start_reasons import clauses, first_remedy

SETTING = "gpu.min_free_vram_mb"
SUMMARY = HoldReason(
    check=Check.GPU_COUNT, figure=0, limit=1, message=f"none of 3 GPUs has 2.5 GB free (best 1.1; {SETTING} 2500)"
)


def full(gpu: int, text: str = "1.1 GB free, needs 2.5", free: int = 1126) -> HoldReason:
    message = f"GPU {gpu}: {text}"
    limit = 2500 * MEGABYTE
    reason = HoldReason(check=Check.GPU_MEMORY, figure=free * MEGABYTE, limit=limit, gpu=gpu, message=message)
    return reason.by(SETTING, 2500)


def hot(gpu: int, celsius: int) -> HoldReason:
    message = f"GPU {gpu} too hot, {celsius} °C, starts below 82"
    reason = HoldReason(check=Check.GPU_TEMPERATURE, figure=celsius, limit=82, gpu=gpu, message=message)
    return reason.by("gpu.max_temp_c", 85)


LOAD = HoldReason(check=Check.LOAD, figure=2.7, limit=2, message="load 2.7 per core").by(
    "governor.max_load_per_core", 2
)


@pytest.mark.parametrize(
    ("reasons", "texts"),
    [
        ([SUMMARY, full(0), full(1), full(2), full(5)], ["GPU 0-2,5: 1.1 GB free, needs 2.5 GB"]),
        ([SUMMARY, full(0), full(3, "0.7 GB free, needs 2.5")], ["GPU 0,3: 0.7-1.1 GB free, needs 2.5 GB"]),
        (
            [SUMMARY, full(0), full(2), hot(1, 91), hot(3, 88)],
            ["GPU 0,2: 1.1 GB free, needs 2.5 GB", "GPU 1,3 too hot, 88-91 °C, starts below 82"],
        ),
        (
            [full(0, "0.7 GB free, needs 2.5, pid 12 (mika) holds 21"), full(1)],
            ["GPU 0: 0.7 GB free, needs 2.5, pid 12 (mika) holds 21", "GPU 1: 1.1 GB free, needs 2.5 GB"],
        ),
        ([LOAD, SUMMARY, full(0)], [LOAD.message, "GPU 0: 1.1 GB free, needs 2.5 GB"]),
        ([SUMMARY], [SUMMARY.message]),
        ([full(1).as_permanent()], ["can never start: GPU 1: 1.1 GB free, needs 2.5 GB"]),
    ],
)
def test_gpus_with_the_same_reason_share_a_clause(reasons: list[HoldReason], texts: list[str]) -> None:
    assert clauses(reasons) == texts


def test_how_many_of_several_gpus_are_usable_is_said_too() -> None:
    summary = HoldReason(check=Check.GPU_COUNT, figure=1, limit=2, message=f"needs 2 GPUs, 1 usable ({SETTING} 2500)")
    assert clauses([summary, full(0)]) == [summary.message, "GPU 0: 1.1 GB free, needs 2.5 GB"]


@pytest.mark.parametrize(
    ("reasons", "remedy"),
    [
        ([SUMMARY, full(0)], ("--gpu-min-vram", "1100")),
        ([LOAD, full(0)], ("--max-load", "0")),
        ([HoldReason(check=Check.QUEUE_HELD, message="queue held")], (Check.QUEUE_HELD, "")),
        (
            [HoldReason(check=Check.PARALLEL, figure=2, limit=2, message="x").by("max_parallel", 2)],
            ("max_parallel", "3"),
        ),
        ([HoldReason(check=Check.STARTS, message="start limit")], None),
        ([SUMMARY, full(0, free=12)], None),
    ],
)
def test_the_first_remedy(reasons: list[HoldReason], remedy: tuple[str, str] | None) -> None:
    assert first_remedy(reasons) == remedy
