"""Claims cover the time between a start and its allocations, so that no GPU is overcommitted."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.governor.admission import Admit, decide
from backprop_tui.domain.governor.claims import claim_bytes, free_after_claims, outstanding_claims, run_usage_bytes
from backprop_tui.domain.governor.snapshot import Candidate, MachineSnapshot, claims_of
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.telemetry import GpuProcess
from tests.domain.governor.machines import (
    ROOMY,
    active_run,
    candidate,
    claim,
    gb,
    gpu,
    process,
    run_limits,
    snapshot,
    snapshots,
    uuid_of,
)

RUN = active_run("wav2vec-ft", 0)


def test_a_claim_is_the_larger_of_the_smallest_free_vram_and_the_learned_peak_with_a_tenth() -> None:
    limits = RunLimits(gpu_min_free_vram_bytes=gb(2.5))
    assert claim_bytes(limits, None) == gb(2.5)
    assert claim_bytes(limits, gb(2)) == gb(2.5)
    assert claim_bytes(limits, gb(10)) == gb(11)
    assert claim_bytes(limits, 10 * gb(1) + 1) == gb(11) + 2


def test_memory_that_the_run_already_uses_is_not_counted_twice() -> None:
    loading = gpu(used_gb=6, processes=(process(RUN.id, 4), process("other", 2, pid=8)))
    assert free_after_claims(loading, [claim(RUN, 10)]) == gb(24 - 6 - 6)


def test_a_run_that_uses_more_than_it_claimed_gives_nothing_back() -> None:
    assert free_after_claims(gpu(used_gb=12, processes=(process(RUN.id, 12),)), [claim(RUN, 10)]) == gb(12)


def test_all_processes_of_a_run_count_and_unknown_ones_do_not() -> None:
    several = gpu(processes=(process(RUN.id, 2), process(RUN.id, 3, pid=8), process(RUN.id, None, pid=9)))
    assert run_usage_bytes(several, RUN.id) == gb(5)
    assert run_usage_bytes(gpu(processes=(process(RUN.id, None),)), RUN.id) is None


def test_a_gpu_without_memory_figures_has_no_free_memory_to_count() -> None:
    assert free_after_claims(gpu(total_gb=None, used_gb=None), [claim(RUN, 10)]) is None


def test_a_fulfilled_claim_does_not_return_when_memory_is_released() -> None:
    claims = (claim(RUN, 10),)
    below = outstanding_claims(claims, [gpu(used_gb=9, processes=(process(RUN.id, 9),))], {RUN.id}, now=1.0)
    assert below == claims
    reached = outstanding_claims(below, [gpu(used_gb=10, processes=(process(RUN.id, 10),))], {RUN.id}, now=2.0)
    assert reached == ()


def test_a_claim_is_fulfilled_per_gpu() -> None:
    run = active_run("ddp", 0, 1)
    claims = tuple(claims_of(run, gb(10), since=0.0))
    loaded = [gpu(0, used_gb=10, processes=(process("ddp", 10),)), gpu(1, used_gb=1, processes=(process("ddp", 1),))]
    assert [claim.gpu_uuid for claim in outstanding_claims(claims, loaded, {"ddp"}, now=1.0)] == [uuid_of(1)]


def test_a_claim_ends_with_its_run() -> None:
    assert outstanding_claims((claim(RUN, 10),), [gpu()], set(), now=1.0) == ()


def test_a_claim_on_a_gpu_that_is_gone_stays_as_long_as_its_run() -> None:
    assert outstanding_claims((claim(RUN, 10),), [], {RUN.id}, now=1e6) == (claim(RUN, 10),)


class TestUnseen:
    """Inside containers a process may be listed without a name or not at all."""

    CLAIMS = (claim(RUN, 4), claim(active_run("other", 0), 4))
    ACTIVE = frozenset({RUN.id, "other"})

    def test_after_ten_minutes_unattributed_memory_is_assumed_to_be_the_runs(self) -> None:
        full = gpu(used_gb=8.5)
        assert outstanding_claims(self.CLAIMS, [full], self.ACTIVE, now=599.0) == self.CLAIMS
        assert outstanding_claims(self.CLAIMS, [full], self.ACTIVE, now=600.0) == ()

    def test_the_time_counts_from_the_start_of_the_run(self) -> None:
        late = tuple(replace(claim, since=500.0) for claim in self.CLAIMS)
        assert outstanding_claims(late, [gpu(used_gb=8.5)], self.ACTIVE, now=1099.0) == late
        assert outstanding_claims(late, [gpu(used_gb=8.5)], self.ACTIVE, now=1100.0) == ()

    def test_not_where_it_does_not_hold_all_unseen_claims(self) -> None:
        assert outstanding_claims(self.CLAIMS, [gpu(used_gb=7.9)], self.ACTIVE, now=600.0) == self.CLAIMS

    def test_not_where_the_memory_is_known_to_be_of_others(self) -> None:
        foreign = GpuProcess(pid=1, memory_bytes=gb(20), owner="mika")
        assert (
            outstanding_claims(self.CLAIMS, [gpu(used_gb=20.5, processes=(foreign,))], self.ACTIVE, now=600.0)
            == self.CLAIMS
        )


def test_four_runs_queued_at_once_for_two_gpus_oversubscribe_none() -> None:
    machine = snapshot(gpu(0, total_gb=10), gpu(1, total_gb=10))
    queue = [candidate(name, limits=RunLimits(gpu_min_free_vram_bytes=gb(6))) for name in ("a", "b", "c", "d")]
    after = admit_in_turn(machine, queue)
    assert [(run.name, run.gpu_uuids) for run in after.active] == [("a", (uuid_of(0),)), ("b", (uuid_of(1),))]


queues = st.lists(
    st.builds(
        Candidate,
        id=st.uuids().map(str),
        name=st.just("run"),
        limits=run_limits,
        requested_gpus=st.none() | st.integers(1, 3),
        learned_peak_bytes=st.none() | st.integers(0, gb(12)),
    ),
    min_size=1,
    max_size=8,
)


@given(snapshots(), queues)
def test_no_sequence_of_admissions_overcommits_a_gpu(machine: MachineSnapshot, queue: list[Candidate]) -> None:
    after = admit_in_turn(machine, queue)
    for reading in machine.readings.gpus:
        before_free = free_after_claims(reading, machine.claims)
        after_free = free_after_claims(reading, after.claims)
        if before_free is not None and after_free is not None:
            assert after_free >= min(before_free, 0)


@given(st.integers(1, 4), queues)
def test_on_a_large_machine_no_gpu_is_overcommitted(count: int, queue: list[Candidate]) -> None:
    after = admit_in_turn(snapshot(*(gpu(index, total_gb=16) for index in range(count)), limits=ROOMY), queue)
    for index in range(count):
        assert sum(claim.bytes for claim in after.claims if claim.gpu_uuid == uuid_of(index)) <= gb(16)


def admit_in_turn(machine: MachineSnapshot, queue: list[Candidate]) -> MachineSnapshot:
    for run in queue:
        decision = decide(run, machine)
        if isinstance(decision, Admit):
            machine = machine.with_started(run, decision.placement)
    return machine
