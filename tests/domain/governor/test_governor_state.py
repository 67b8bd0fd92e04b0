"""Whether runs start, and if not, why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.governor.admission import Hold, decide
from backprop_tui.domain.governor.governor_state import GovernorMode, GovernorState, governor_state
from backprop_tui.domain.governor.snapshot import Candidate, MachineSnapshot, PendingDependency
from backprop_tui.domain.limits import MachineLimits, RunLimits
from tests.domain.governor.machines import CALM_HOST, active_run, candidate, claim, gb, gpu, snapshot

LIMITS = MachineLimits(max_parallel=6, start_burst=4, starts_per_minute=1.0)
TWO_RUN = (active_run("a"), active_run("b"))


def after_pass(machine: MachineSnapshot, *queue: Candidate) -> GovernorState:
    decisions = (decide(run, machine) for run in queue)
    holds = [decision for decision in decisions if isinstance(decision, Hold)]
    return governor_state(machine, holds, waiting=len(queue))


def clauses(machine: MachineSnapshot, *queue: Candidate) -> tuple[str, tuple[str, ...]]:
    state = after_pass(machine, *queue)
    return state.state.value, tuple(reason.message for reason in state.reasons)


def test_an_open_governor_has_free_slots_and_starts() -> None:
    state = after_pass(snapshot(limits=LIMITS, tokens=3.9, active=TWO_RUN))
    assert (state.state, state.reasons) == (GovernorMode.OPEN, ())
    assert (state.active, state.max_parallel, state.start_tokens, state.waiting) == (2, 6, 3.9, 0)


@pytest.mark.parametrize(
    ("machine", "clause"),
    [
        (
            snapshot(gpu(1, celsius=84.0), active=(active_run("vit", 1, paused_by="heat"),)),
            "GPU 1 too hot, 84 °C, starts below 80 (gpu.max_temp_c 85)",
        ),
        (snapshot(host=replace(CALM_HOST, ram_available_bytes=gb(3.14))), "RAM 3.1 GB free (min_free_ram_gb 4)"),
        (snapshot(limits=LIMITS, tokens=1 - 41 / 60), "start limit, next in 41s (governor.starts_per_minute 1)"),
        (
            snapshot(
                gpu(3, used_gb=8),
                active=(active_run("wav2vec-ft", 3),),
                claims=(claim(active_run("wav2vec-ft"), 15, index=3),),
            ),
            "GPU 3 claimed by wav2vec-ft, still loading (gpu.min_free_vram_mb 2500)",
        ),
    ],
)
def test_a_holding_governor_names_the_resource_with_figure_and_limit(machine: MachineSnapshot, clause: str) -> None:
    assert clauses(machine, candidate()) == ("holding", (clause,))


def test_conservative_mode_is_shown_even_with_an_empty_queue() -> None:
    machine = replace(snapshot(probe_problem="driver mismatch"), probe_broken_since="14:02")
    expected = ("GPU probe broken since 14:02 (nvml: driver mismatch), one run at a time",)
    assert clauses(machine) == ("conservative", expected)
    assert clauses(replace(machine, active=TWO_RUN), candidate()) == ("conservative", expected)


def test_a_held_queue_holds_even_if_no_run_is_queued() -> None:
    machine = replace(snapshot(active=TWO_RUN), queue_held=True)
    state = after_pass(machine)
    assert (state.state, state.queue_held, state.reasons) == (GovernorMode.HOLDING, True, ())
    assert clauses(machine, candidate())[1][0] == "queue held by you, nothing new starts"


def test_a_run_that_can_never_start_does_not_hold_the_others() -> None:
    machine = snapshot(gpu(0), limits=LIMITS, tokens=4.0)
    assert clauses(machine, candidate(requested_gpus=4)) == ("open", ())


def test_a_run_that_waits_for_another_run_is_not_held_by_the_governor() -> None:
    waiting = candidate(awaited=(PendingDependency(name="nano-lm", status="running"),))
    assert clauses(snapshot(limits=LIMITS, tokens=4.0), waiting) == ("open", ())


def test_each_check_is_named_once_for_each_gpu() -> None:
    machine = snapshot(gpu(0, used_gb=22.5), gpu(1, used_gb=23))
    assert clauses(machine, candidate()) == (
        "holding",
        (
            "none of 2 GPUs has 2.5 GB (best: GPU 0, 1.5 free; gpu.min_free_vram_mb 2500)",
            "GPU 0: 1.5 GB free, needs 2.5 (gpu.min_free_vram_mb 2500)",
            "GPU 1: 1 GB free, needs 2.5 (gpu.min_free_vram_mb 2500)",
        ),
    )


def test_the_reasons_are_those_of_the_first_run_in_line_the_most_blocking_first() -> None:
    host = replace(CALM_HOST, load_1m=40.0)
    machine = snapshot(gpu(0, used_gb=23), host=host, limits=LIMITS, tokens=0.5, active=TWO_RUN)
    modest = candidate("modest", limits=RunLimits(max_parallel=1))
    waits = candidate("waits", awaited=(PendingDependency(name="nano-lm", status="running"),), requested_gpus=0)

    def checks(*queue: Candidate) -> list[str]:
        return [reason.check for reason in after_pass(machine, *queue).reasons]

    assert checks(waits, candidate(), modest) == ["gpu_memory", "load", "starts"]
    assert checks(modest, candidate()) == ["parallel", "gpu_memory", "load", "starts"]
    assert checks(candidate(requested_gpus=0), candidate()) == ["load", "starts"]
    assert checks(waits) == ["load", "starts"]


def test_start_tokens_are_shown_with_their_fractions_or_not_at_all() -> None:
    assert after_pass(snapshot(limits=LIMITS, tokens=2.5)).start_tokens == 2.5
    assert after_pass(snapshot(limits=MachineLimits(starts_per_minute=0.0))).start_tokens is None
