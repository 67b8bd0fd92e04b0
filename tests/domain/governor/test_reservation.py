"""A big run at the head of the queue gets its GPUs eventually; an impossible one reserves none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_tui.domain.governor.admission import Admit, decide
from backprop_tui.domain.governor.placement import RESERVE_AFTER_SECONDS, HeadOfQueue, head_of_queue, reserve
from backprop_tui.domain.governor.snapshot import Candidate, MachineSnapshot, PendingDependency
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess
from tests.domain.governor.machines import ROOMY, active_run, candidate, claim, gb, gpu, process, snapshot, uuid_of

BIG = candidate("big", requested_gpus=2, limits=RunLimits(gpu_min_free_vram_bytes=gb(20)))
SMALL = candidate("small")
BUSY = snapshot(
    gpu(0, used_gb=12, processes=(process("a", 12),)),
    gpu(1, used_gb=6, processes=(process("b", 6),)),
    gpu(2, used_gb=1),
    active=(active_run("a", 0), active_run("b", 1)),
)
SINCE_LONG = HeadOfQueue(run_id="big", since=-RESERVE_AFTER_SECONDS)


def kept(queue: list[Candidate], machine: MachineSnapshot, head: HeadOfQueue | None = SINCE_LONG) -> set[str] | None:
    reservation = reserve(head_of_queue(head, queue, machine), queue, machine)
    return None if reservation is None else set(reservation.gpu_uuids)


def test_the_head_is_the_first_run_that_waits_for_gpus() -> None:
    assert head_of_queue(None, [SMALL, BIG], BUSY) == HeadOfQueue(run_id="big", since=0.0)
    assert head_of_queue(None, [SMALL], BUSY) is None


def test_it_stays_the_head_until_another_waits_before_it() -> None:
    head = head_of_queue(None, [BIG], BUSY)
    later = replace(BUSY, now=100.0)
    assert head_of_queue(head, [SMALL, BIG], later) == head
    bigger = replace(BIG, id="bigger")
    assert head_of_queue(head, [bigger, BIG], later) == HeadOfQueue(run_id="bigger", since=100.0)


def test_nothing_is_reserved_before_five_minutes() -> None:
    just_under = HeadOfQueue(run_id="big", since=-RESERVE_AFTER_SECONDS + 1)
    assert kept([BIG], BUSY, just_under) is None
    assert kept([BIG], BUSY) is not None


def test_suitable_gpus_are_reserved_first_and_then_the_freest() -> None:
    assert kept([BIG], BUSY) == {uuid_of(1), uuid_of(2)}


def test_a_run_that_waits_for_another_run_reserves_no_gpus() -> None:
    assert kept([replace(BIG, awaited=(PendingDependency(name="a", status="running"),))], BUSY) is None


@pytest.mark.parametrize(
    "impossible",
    [
        replace(BIG, requested_gpus=4),
        replace(BIG, limits=RunLimits(gpu_min_free_vram_bytes=gb(25))),
        replace(BIG, visible_gpus=("0",)),
    ],
)
def test_a_run_too_large_for_the_machine_reserves_no_gpus(impossible: Candidate) -> None:
    assert kept([impossible], BUSY) is None


def test_lost_gpus_and_those_full_of_foreign_processes_do_not_count() -> None:
    stranger = GpuProcess(pid=1, memory_bytes=gb(10), owner="mika")
    beside_ours = gpu(1, used_gb=16, processes=(process("b", 6), stranger))
    active = BUSY.active
    assert kept([BIG], snapshot(gpu(0, used_gb=12), gpu(1, health=GpuHealth.LOST), active=active)) is None
    assert kept([BIG], snapshot(gpu(0, used_gb=12), beside_ours, active=active)) is None
    assert kept([BIG], snapshot(gpu(0, used_gb=12), gpu(1, used_gb=12), active=active[:1])) is None


def test_a_run_held_for_other_reasons_reserves_no_gpus() -> None:
    free = snapshot(gpu(0), gpu(1))
    assert kept([BIG], replace(free, queue_held=True)) is None


def test_a_reservation_lets_nobody_else_in_but_the_head() -> None:
    machine = replace(BUSY, reservation=reserve(SINCE_LONG, [BIG], BUSY))
    small = decide(SMALL, machine)
    assert isinstance(small, Admit)
    assert small.placement.gpus is not None
    assert [gpu.index for gpu in small.placement.gpus] == [0]


@dataclass
class Machine:
    """Two GPUs, passed over every ten seconds; runs allocate what they claim at once and end after their time."""

    lengths: Iterator[float]
    now: float = 0.0
    head: HeadOfQueue | None = None
    running: dict[str, tuple[tuple[str, ...], int, float]] = field(default_factory=dict)

    def snapshot(self) -> MachineSnapshot:
        used = {uuid_of(index): 0 for index in range(2)}
        for uuids, count, _ in self.running.values():
            for uuid in uuids:
                used[uuid] += count
        gpus = (replace(gpu(index), memory_used_bytes=used[uuid_of(index)]) for index in range(2))
        active = tuple(replace(active_run(name), gpu_uuids=uuids) for name, (uuids, _, _) in self.running.items())
        return replace(snapshot(*gpus, limits=ROOMY, active=active), now=self.now)

    def pass_over(self, queue: list[Candidate]) -> None:
        """One pass of a supervisor, then ten seconds."""
        self.running = {name: run for name, run in self.running.items() if run[2] > self.now}
        machine = self.snapshot()
        self.head = head_of_queue(self.head, queue, machine)
        machine = replace(machine, reservation=reserve(self.head, queue, machine))
        for run in queue:
            decision = decide(run, machine)
            if isinstance(decision, Admit):
                machine = machine.with_started(run, decision.placement)
                uuids = tuple(gpu.uuid for gpu in decision.placement.gpus or ())
                self.running[run.id] = uuids, run.claim_bytes, self.now + next(self.lengths)
        self.now += 10.0


@settings(max_examples=25)
@given(st.lists(st.floats(60.0, 600.0), min_size=1, max_size=7))
def test_small_runs_that_never_stop_coming_do_not_starve_a_big_one(lengths: list[float]) -> None:
    machine = Machine(lengths=cycle(lengths))
    small = RunLimits(gpu_min_free_vram_bytes=gb(10))
    machine.pass_over([candidate(f"first-{number}", limits=small) for number in range(4)])
    passes = 0
    while "big" not in machine.running and passes < 200:
        machine.pass_over([BIG, *(candidate(f"{passes}-{number}", limits=small) for number in range(4))])
        passes += 1
    assert machine.now <= 10 + RESERVE_AFTER_SECONDS + 600.0 + 20.0


def test_small_runs_overtake_before_gpus_are_reserved() -> None:
    machine = Machine(lengths=cycle([600.0]))
    machine.pass_over([candidate("first", limits=RunLimits(gpu_min_free_vram_bytes=gb(10)))])
    machine.pass_over([BIG, SMALL])
    assert set(machine.running) == {"first", "small"}


def test_claims_of_loading_runs_count_for_reservations() -> None:
    loading = active_run("a", 0)
    machine = snapshot(gpu(0), gpu(1), active=(loading,), claims=(claim(loading, 10),))
    assert kept([BIG], machine) == {uuid_of(0), uuid_of(1)}
