"""A run starts if every check passes; otherwise each failed check is a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.governor.admission import Admit, Decision, Hold, decide
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.governor.snapshot import (
    MachineSnapshot,
    PendingDependency,
    Placement,
    parallel_limit,
)
from backprop_tui.domain.limits import DISK_GIGABYTE, GIGABYTE, MachineLimits, RunLimits
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, HostReading
from tests.domain.governor.machines import CALM_HOST, active_run, candidate, gb, gpu, snapshot, uuid_of

NO_PLACE = Admit(placement=Placement(gpus=None))


def messages(decision: Decision) -> list[str]:
    assert isinstance(decision, Hold)
    return [reason.message for reason in decision.reasons]


def checks(decision: Decision) -> list[Check]:
    return [reason.check for reason in decision.reasons] if isinstance(decision, Hold) else []


def test_a_machine_with_free_resources_admits() -> None:
    admitted = decide(candidate(), snapshot(gpu()))
    assert admitted == Admit(
        placement=Placement(gpus=(Gpu(index=0, uuid=uuid_of(0)),), claim_bytes=RunLimits().gpu_min_free_vram_bytes)
    )


def test_a_held_run_names_every_reason_with_the_most_blocking_first() -> None:
    host = replace(CALM_HOST, ram_available_bytes=gb(3.14), load_1m=20.0, disk_free_bytes=gb(0.55))
    limits = MachineLimits(max_parallel=2, start_burst=4, starts_per_minute=1.0)
    machine = snapshot(
        gpu(0, celsius=84.0, used_gb=23.1),
        host=host,
        limits=limits,
        active=(active_run("a"), active_run("b")),
        tokens=0.31667,
    )
    run = candidate(awaited=(PendingDependency(name="nano-lm-768", status="running"),))
    assert messages(decide(run, replace(machine, queue_held=True))) == [
        "queue held by you, nothing new starts",
        "after nano-lm-768",
        "disk 0.5 GB free (governor.min_free_disk_gb 1)",
        "2 runs active (max_parallel 2)",
        "GPU 0: 0.9 GB free, needs 2.5 (gpu.min_free_vram_mb 2500)",
        "RAM 3.1 GB free (min_free_ram_gb 4)",
        "load 2.5 per core (governor.max_load_per_core 2)",
        "GPU 0 too hot, 84 °C, starts below 82 (gpu.max_temp_c 85)",
        "start limit, next in 41s (governor.starts_per_minute 1)",
    ]


def test_a_reason_carries_figure_and_limit() -> None:
    machine = snapshot(host=replace(CALM_HOST, ram_available_bytes=gb(3.1)))
    decision = decide(candidate(), machine)
    assert isinstance(decision, Hold)
    (reason,) = decision.reasons
    assert (reason.check, reason.figure, reason.limit, reason.gpu) == (Check.RAM, gb(3.1), gb(4), None)


def test_more_ram_than_the_machine_has_is_never_free() -> None:
    machine = snapshot(host=replace(CALM_HOST, ram_total_bytes=gb(32), ram_available_bytes=gb(30)))
    decision = decide(candidate(limits=RunLimits(min_free_ram_bytes=gb(64))), machine)
    assert isinstance(decision, Hold)
    (reason,) = decision.reasons
    assert reason.message == "can never start: machine has 32 GB of RAM (min_free_ram_gb 64)"
    assert reason.permanent


@pytest.mark.parametrize(
    ("host", "check"),
    [
        (replace(CALM_HOST, ram_available_bytes=gb(4) - 1), Check.RAM),
        (replace(CALM_HOST, load_1m=16.0), Check.LOAD),
        (replace(CALM_HOST, disk_free_bytes=DISK_GIGABYTE - 1), Check.DISK),
    ],
)
def test_zero_switches_a_check_off(host: HostReading, check: Check) -> None:
    off = RunLimits(min_free_ram_bytes=0, max_load_per_core=0.0, min_free_disk_bytes=0)
    assert checks(decide(candidate(), snapshot(host=host))) == [check]
    assert decide(candidate(limits=off), snapshot(host=host)) == NO_PLACE


def test_exactly_the_reserve_is_enough() -> None:
    host = replace(CALM_HOST, ram_available_bytes=gb(4), disk_free_bytes=DISK_GIGABYTE, load_1m=15.99)
    assert decide(candidate(), snapshot(host=host)) == NO_PLACE


@pytest.mark.parametrize(
    ("own", "machines", "active", "held"),
    [
        (None, 2, 1, False),
        (None, 2, 2, True),
        (1, 2, 1, True),
        (3, 2, 2, False),
        (None, 0, 9, False),
        (0, 2, 9, False),
    ],
)
def test_the_parallel_limit_is_the_runs_own_or_the_machines(
    own: int | None, machines: int, active: int, *, held: bool
) -> None:
    machine = snapshot(
        limits=MachineLimits(max_parallel=machines, starts_per_minute=0.0),
        active=tuple(active_run(str(number)) for number in range(active)),
    )
    decision = decide(candidate(limits=RunLimits(max_parallel=own)), machine)
    assert checks(decision) == ([Check.PARALLEL] if held else [])


def test_the_message_says_whose_limit_of_active_runs_it_is() -> None:
    active = (active_run("a"), active_run("b"))
    automatic = replace(snapshot(limits=MachineLimits(), active=active), max_parallel=2)
    assert messages(decide(candidate(), automatic)) == ["2 runs active (max_parallel auto: 2)"]
    own = decide(candidate(limits=RunLimits(max_parallel=1)), snapshot(active=active))
    assert messages(own) == ["2 runs active (max_parallel 1 of this run)"]


@pytest.mark.parametrize(
    ("gpus", "cores", "most"),
    [
        ((), 2.0, 2),
        ((), 16.0, 4),
        ((), 11.5, 2),
        ((), None, 2),
        ((gpu(0),), 64.0, 2),
        (tuple(gpu(index) for index in range(8)), 4.0, 8),
        ((gpu(0), gpu(1), gpu(2), gpu(3, health=GpuHealth.LOST)), 64.0, 3),
        ((gpu(0), gpu(1), gpu(2, health=GpuHealth.STALE)), 64.0, 3),
    ],
)
def test_automatic_is_a_run_for_each_gpu_or_for_every_four_cores(
    gpus: tuple[GpuReading, ...], cores: float | None, most: int
) -> None:
    host = replace(CALM_HOST, cores=cores)
    assert parallel_limit(MachineLimits(), snapshot(*gpus, host=host).readings) == most


def test_without_a_start_limit_an_empty_bucket_holds_no_run() -> None:
    machine = snapshot(limits=MachineLimits(starts_per_minute=0.0), tokens=0.0)
    assert decide(candidate(), machine) == NO_PLACE


class TestConservativeMode:
    """Blind to something, the governor keeps each run alone."""

    BLIND = (
        snapshot(gpu(), probe_problem="driver mismatch"),
        snapshot(host=replace(CALM_HOST, ram_available_bytes=None)),
        replace(snapshot(), readings_age_seconds=30.0),
    )

    @pytest.mark.parametrize("machine", BLIND)
    def test_a_run_starts_alone(self, machine: MachineSnapshot) -> None:
        assert decide(candidate(), machine) == NO_PLACE

    @pytest.mark.parametrize("machine", BLIND)
    def test_a_second_one_waits(self, machine: MachineSnapshot) -> None:
        decision = decide(candidate(), replace(machine, active=(active_run("a"),)))
        assert checks(decision) == [Check.PROBE]

    def test_the_message_says_what_is_broken_and_since_when(self) -> None:
        machine = snapshot(active=(active_run("a"),), probe_problem="driver mismatch")
        assert messages(decide(candidate(), replace(machine, probe_broken_since="14:02"))) == [
            "GPU probe broken since 14:02 (nvml: driver mismatch), one run at a time"
        ]

    def test_a_broken_probe_never_makes_a_run_wait_for_its_gpus(self) -> None:
        machine = snapshot(gpu(celsius=99.0), probe_problem="driver mismatch")
        assert decide(candidate(requested_gpus=2, gpu_ids=("0", "1")), machine) == NO_PLACE

    def test_load_and_disk_that_cannot_be_read_are_not_checked(self) -> None:
        host = HostReading(ram_available_bytes=8 * GIGABYTE)
        assert decide(candidate(), snapshot(host=host)) == NO_PLACE


def test_before_the_probe_has_answered_only_runs_without_gpus_start() -> None:
    machine = replace(snapshot(), gpus_known=False)
    assert messages(decide(candidate(), machine)) == ["GPU probe has not answered yet"]
    assert decide(candidate(requested_gpus=0), machine) == Admit(placement=Placement(gpus=()))


def test_a_start_counts_for_the_next_candidate_of_the_same_pass() -> None:
    limits = MachineLimits(max_parallel=2, start_burst=4, starts_per_minute=1.0)
    machine = snapshot(gpu(total_gb=6.0), limits=limits, tokens=1.5)
    first = decide(candidate("first"), machine)
    assert isinstance(first, Admit)
    after = machine.with_started(candidate("first"), first.placement)
    assert after.bucket.tokens == 0.5
    assert [run.name for run in after.active] == ["first"]
    assert [(claim.run_id, claim.bytes) for claim in after.claims] == [("first", RunLimits().gpu_min_free_vram_bytes)]
    assert checks(decide(candidate("second"), after)) == [Check.STARTS]
