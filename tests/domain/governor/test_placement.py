"""Placement: each GPU is checked on its own; the least shared ones come first, then those with most free VRAM."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.governor.placement import place
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.governor.snapshot import Candidate, MachineSnapshot, Placement, Reservation
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from tests.domain.governor.machines import active_run, candidate, claim, gb, gpu, process, snapshot, uuid_of


def indices(run: Candidate, machine: MachineSnapshot) -> list[int] | None:
    """The GPUs the run was placed on; None if what it sees is left as it is."""
    placement = place(run, machine)
    assert isinstance(placement, Placement), placement
    return None if placement.gpus is None else [gpu.index for gpu in placement.gpus]


def held(run: Candidate, machine: MachineSnapshot) -> tuple[HoldReason, ...]:
    placed = place(run, machine)
    assert not isinstance(placed, Placement)
    return placed


def reasons(run: Candidate, machine: MachineSnapshot) -> list[str]:
    return [reason.message for reason in held(run, machine)]


def test_the_gpu_with_most_free_vram_is_taken() -> None:
    machine = snapshot(gpu(0, used_gb=10), gpu(1, used_gb=4), gpu(2, used_gb=8))
    assert place(candidate(), machine) == Placement(
        gpus=(Gpu(index=1, uuid=uuid_of(1)),), claim_bytes=RunLimits().gpu_min_free_vram_bytes
    )


def test_nothing_is_placed_before_the_gpus_have_answered() -> None:
    machine = replace(snapshot(gpu(0)), gpus_known=False)
    assert reasons(candidate(), machine) == ["GPU probe has not answered yet"]
    assert indices(candidate(requested_gpus=0), machine) == []


def test_claims_count_as_used() -> None:
    here, there = active_run("wav2vec-ft", 1), active_run("vit", 0)
    claims = (claim(here, 8, index=1),)
    machine = snapshot(gpu(0, used_gb=10), gpu(1, used_gb=4), active=(here, there), claims=claims)
    assert indices(candidate(), machine) == [0]


def test_an_idle_gpu_comes_before_a_larger_one_that_is_used() -> None:
    sizes = gpu(0, total_gb=80), gpu(1, total_gb=24)
    assert indices(candidate(), snapshot(*sizes)) == [0]
    assert indices(candidate(), snapshot(*sizes, active=(active_run("a", 0),))) == [1]


def test_a_gpu_with_foreign_processes_comes_after_a_free_one() -> None:
    stranger = GpuProcess(pid=40412, memory_bytes=gb(20), owner="mika")
    used = gpu(0, total_gb=80, used_gb=20, processes=(stranger,))
    assert indices(candidate(), snapshot(used, gpu(1, total_gb=24))) == [1]


def test_of_equal_gpus_the_lower_index_is_taken() -> None:
    assert indices(candidate(), snapshot(gpu(1), gpu(0), gpu(2))) == [0]


def test_runs_that_claim_nothing_spread_over_gpus_without_memory_figures() -> None:
    unified = (gpu(0, total_gb=None, used_gb=None), gpu(1, total_gb=None, used_gb=None))
    assert indices(candidate(), snapshot(*unified)) == [0]
    assert indices(candidate(), snapshot(*unified, active=(active_run("a", 0),))) == [1]


def test_gpus_that_are_too_small_are_permanent_only_if_too_few_are_large_enough() -> None:
    machine = snapshot(gpu(0, total_gb=2.0), gpu(1, total_gb=24.0, used_gb=23.0))
    assert not any(reason.permanent for reason in held(candidate(), machine))
    count, *of_gpus = held(candidate(requested_gpus=2), machine)
    assert (
        count.message
        == "can never start: needs 2 GPUs of 2.5 GB, 1 of 2 is that large (--gpus 2; gpu.min_free_vram_mb 2500)"
    )
    assert [reason.permanent for reason in of_gpus] == [True, False]


def test_what_several_gpus_lack_is_one_check() -> None:
    run = candidate(limits=RunLimits(gpu_min_free_vram_bytes=gb(60)))
    loading = active_run("vit", 1)
    gpus = [gpu(0, total_gb=80, used_gb=50), gpu(1, total_gb=80, used_gb=20), gpu(2, total_gb=80, used_gb=70)]
    machine = snapshot(*gpus, active=(loading,), claims=(claim(loading, 13, index=1),))
    assert (
        reasons(run, machine)[0] == "none of 3 GPUs has 60 GB (best: GPU 1, 47 unclaimed; gpu.min_free_vram_mb 61440)"
    )
    assert held(run, machine)[2].message.startswith("GPU 1 claimed by vit")
    fuller = snapshot(
        *gpus[:1], gpu(1, total_gb=80, used_gb=21), active=(loading,), claims=(claim(loading, 1, index=1),)
    )
    assert reasons(run, fuller)[2].startswith("GPU 1: 58 GB unclaimed, needs 60")
    hot = replace(gpus[2], temperature_celsius=95.0, memory_used_bytes=0)
    mixed = reasons(run, snapshot(*gpus[:1], gpu(1, total_gb=80, used_gb=30), hot))
    assert mixed[0] == "none of 3 GPUs usable: 2 too full + 1 too hot (gpu.min_free_vram_mb 61440; gpu.max_temp_c 85)"


def test_a_peak_that_is_not_checked_makes_no_gpu_too_small() -> None:
    hot = gpu(0, total_gb=2.0, celsius=95.0), gpu(1, total_gb=2.0, celsius=95.0)
    run = candidate(limits=RunLimits(gpu_min_free_vram_bytes=0), learned_peak_bytes=gb(8))
    assert not any(reason.permanent for reason in held(run, snapshot(*hot)))


def test_several_gpus_are_distinct_and_ordered_by_index() -> None:
    machine = snapshot(gpu(0, used_gb=9), gpu(1, used_gb=2), gpu(2, used_gb=12), gpu(3, used_gb=1))
    assert indices(candidate(requested_gpus=3), machine) == [0, 1, 3]


class TestWithoutGpus:
    """Runs that need no GPU never wait for one."""

    def test_zero_hides_all(self) -> None:
        assert indices(candidate(requested_gpus=0), snapshot(gpu(health=GpuHealth.LOST))) == []

    def test_a_machine_without_gpus_leaves_the_script_as_it_is(self) -> None:
        assert indices(candidate(), snapshot()) is None

    @pytest.mark.parametrize("hidden", [(), ("",), ("-1",), ("NoDevFiles",)])
    def test_gpus_hidden_by_the_environment_are_not_waited_for(self, hidden: tuple[str, ...]) -> None:
        assert indices(candidate(visible_gpus=hidden), snapshot(gpu(celsius=99.0))) is None

    def test_requested_gpus_that_are_missing_are_waited_for(self) -> None:
        assert reasons(candidate(requested_gpus=2), snapshot()) == [
            "can never start: needs 2 GPUs, the GPU probe finds none (--gpus 2)"
        ]
        assert reasons(candidate(requested_gpus=2), snapshot(gpu())) == [
            "can never start: needs 2 GPUs, machine has 1 (--gpus 2)"
        ]


class TestChoice:
    """What the user chose, and what the environment shows."""

    MACHINE = snapshot(gpu(0), gpu(1, used_gb=5), gpu(2, used_gb=6), gpu(3, used_gb=7))

    def test_chosen_gpus_are_all_taken(self) -> None:
        assert indices(candidate(gpu_ids=("2", "3")), self.MACHINE) == [2, 3]

    def test_fewer_gpus_may_be_requested_than_chosen(self) -> None:
        assert indices(candidate(gpu_ids=("2", "3"), requested_gpus=1), self.MACHINE) == [2]

    def test_a_uuid_or_its_prefix_selects_a_gpu(self) -> None:
        assert indices(candidate(gpu_ids=(uuid_of(2), "gpu-0003")), self.MACHINE) == [2, 3]

    def test_an_unknown_one_is_named(self) -> None:
        assert reasons(candidate(gpu_ids=("7",)), self.MACHINE) == [
            "can never start: needs 1 GPU, none of those chosen here (--gpu-ids 7)"
        ]

    def test_cuda_visible_devices_restricts_the_choice(self) -> None:
        assert indices(candidate(visible_gpus=("3", "1")), self.MACHINE) == [1]
        assert reasons(candidate(visible_gpus=("1",), requested_gpus=2), self.MACHINE) == [
            "can never start: needs 2 GPUs, CUDA_VISIBLE_DEVICES shows 1 (--gpus 2)"
        ]

    def test_an_entry_that_names_no_gpu_hides_those_after_it(self) -> None:
        assert indices(candidate(visible_gpus=("2", "9", "0")), self.MACHINE) == [2]


class TestUnfit:
    """Why a GPU is not taken."""

    @pytest.mark.parametrize(
        ("unfit", "message"),
        [
            (gpu(celsius=84.0), "GPU 0 too hot, 84 °C, starts below 82 (gpu.max_temp_c 85)"),
            (gpu(celsius=82.0), "GPU 0 too hot, 82 °C, starts below 82 (gpu.max_temp_c 85)"),
            (gpu(used_gb=23.1), "GPU 0: 0.9 GB free, needs 2.5 (gpu.min_free_vram_mb 2500)"),
            (gpu(total_gb=2.0), "can never start: GPU 0 has 2 GB in total, needs 2.5 (gpu.min_free_vram_mb 2500)"),
            (
                gpu(health=GpuHealth.LOST, problem="Xid 79, fallen off the bus"),
                "GPU 0 lost: Xid 79, fallen off the bus",
            ),
            (gpu(health=GpuHealth.STALE, age_seconds=12.0), "GPU 0 not answering for 12s"),
            (gpu(age_seconds=3.5), "GPU 0 not answering for 4s"),
            (gpu(health=GpuHealth.UNKNOWN), "GPU 0 never answered"),
        ],
    )
    def test_the_reason_is_a_readable_message(self, unfit: GpuReading, message: str) -> None:
        assert reasons(candidate(), snapshot(unfit)) == [message]
        assert indices(candidate(), snapshot(unfit, gpu(1, used_gb=20))) == [1]

    def test_a_hot_gpu_is_judged_by_the_runs_own_limit(self) -> None:
        machine = snapshot(gpu(celsius=86.0, health=GpuHealth.HOT))
        assert indices(candidate(limits=RunLimits(gpu_max_temp_celsius=90.0)), machine) == [0]
        assert indices(candidate(limits=RunLimits(gpu_max_temp_celsius=0.0)), machine) == [0]

    def test_a_start_waits_for_the_same_temperature_as_a_run_paused_for_heat(self) -> None:
        paused = active_run("vit-b16", 0, paused_by="heat")
        assert reasons(candidate(), snapshot(gpu(celsius=81.0), active=(paused,))) == [
            "GPU 0 too hot, 81 °C, starts below 80 (gpu.max_temp_c 85)"
        ]
        assert indices(candidate(), snapshot(gpu(celsius=81.0), active=(active_run("a", 0),))) == [0]

    def test_missing_figures_switch_their_checks_off(self) -> None:
        assert indices(candidate(), snapshot(gpu(celsius=None, total_gb=None, used_gb=None))) == [0]
        assert indices(candidate(), snapshot(gpu(used_gb=None))) == [0]

    def test_exactly_what_is_needed_is_enough(self) -> None:
        assert indices(candidate(), snapshot(gpu(used_gb=21.5, celsius=81.9))) == [0]

    def test_no_smallest_free_vram_means_no_check_of_it(self) -> None:
        run = candidate(limits=RunLimits(gpu_min_free_vram_bytes=0), learned_peak_bytes=gb(20))
        assert place(run, snapshot(gpu(used_gb=23))) == Placement(
            gpus=(Gpu(index=0, uuid=uuid_of(0)),), claim_bytes=gb(1)
        )

    def test_a_blocking_claim_is_named(self) -> None:
        loading, other = active_run("wav2vec-ft", 0), active_run("tiny", 0)
        machine = snapshot(gpu(used_gb=8), active=(loading, other), claims=(claim(other, 1), claim(loading, 15)))
        assert reasons(candidate(), machine) == [
            "GPU 0 claimed by wav2vec-ft, still loading (gpu.min_free_vram_mb 2500)"
        ]

    def test_a_foreign_process_is_named_by_pid_and_owner(self) -> None:
        foreign = GpuProcess(pid=40412, memory_bytes=gb(21.34), owner="mika")
        ours = process("a", 2.0)
        assert reasons(candidate(), snapshot(gpu(used_gb=23.3, processes=(ours, foreign)))) == [
            "GPU 0: 0.7 GB free, needs 2.5, pid 40412 (mika) holds 21.3 (gpu.min_free_vram_mb 2500)"
        ]

    def test_several_gpus_that_do_not_fit_are_counted_and_each_named(self) -> None:
        machine = snapshot(gpu(0, celsius=84.0), gpu(1, used_gb=23.1))
        assert reasons(candidate(requested_gpus=2), machine) == [
            "needs 2 GPUs, 0 usable (--gpus 2; gpu.max_temp_c 85; gpu.min_free_vram_mb 2500)",
            "GPU 0 too hot, 84 °C, starts below 82 (gpu.max_temp_c 85)",
            "GPU 1: 0.9 GB free, needs 2.5 (gpu.min_free_vram_mb 2500)",
        ]


class TestReserved:
    """GPUs kept for a run that has waited long."""

    MACHINE = replace(
        snapshot(gpu(0), gpu(1)),
        reservation=Reservation(run_id="big", run_name="qwen-sft-2gpu", gpu_uuids=frozenset({uuid_of(0), uuid_of(1)})),
    )

    def test_others_wait(self) -> None:
        held = place(candidate(), self.MACHINE)
        assert isinstance(held, tuple)
        assert [(reason.check, reason.message) for reason in held] == [
            (Check.GPU_COUNT, "none of 2 GPUs usable: 2 kept for qwen-sft-2gpu"),
            (Check.GPU_COUNT, "GPU 0 kept for qwen-sft-2gpu"),
            (Check.GPU_COUNT, "GPU 1 kept for qwen-sft-2gpu"),
        ]

    def test_the_reserved_run_itself_does_not_wait(self) -> None:
        assert indices(candidate("big", requested_gpus=2), self.MACHINE) == [0, 1]


class TestLearnedPeak:
    """What earlier runs of the same script held counts, with a tenth more in company."""

    RUN = candidate(learned_peak_bytes=gb(20))

    def test_it_is_claimed_with_a_tenth_more(self) -> None:
        placement = place(self.RUN, snapshot(gpu()))
        assert isinstance(placement, Placement)
        assert placement.claim_bytes == gb(22)

    def test_next_to_another_run_the_margin_must_be_free_too(self) -> None:
        machine = snapshot(gpu(used_gb=2.5), active=(active_run("a", 0),))
        assert reasons(self.RUN, machine) == ["GPU 0: 21.5 GB free, needs 22 (earlier runs used 20)"]

    def test_a_run_that_once_filled_a_gpu_can_start_again_on_an_empty_one(self) -> None:
        placement = place(candidate(learned_peak_bytes=gb(23)), snapshot(gpu(used_gb=0.5)))
        assert isinstance(placement, Placement)
        assert placement.claim_bytes == gb(23.5)
