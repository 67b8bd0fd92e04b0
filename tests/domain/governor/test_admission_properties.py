"""Properties of admission for any machine and any run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_tui.domain.governor.admission import Admit, Decisions, Hold, decide
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.governor.snapshot import Candidate, MachineSnapshot, Reservation
from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from tests.domain.governor.machines import candidates, snapshots

RANKS = list(Check)


@settings(max_examples=150)
@given(candidates, snapshots())
def test_a_held_run_has_ordered_reasons_each_with_a_message(run: Candidate, machine: MachineSnapshot) -> None:
    decision = decide(run, machine)
    if isinstance(decision, Hold):
        assert decision.reasons
        assert all(reason.message for reason in decision.reasons)
        ranks = [(not reason.permanent, RANKS.index(reason.check)) for reason in decision.reasons]
        assert ranks == sorted(ranks)
        assert max(Counter(decision.reasons).values()) == 1


@settings(max_examples=150)
@given(candidates, snapshots())
def test_an_admitted_run_breaks_no_limit_of_the_host(run: Candidate, machine: MachineSnapshot) -> None:
    if isinstance(decide(run, machine), Hold):
        return
    host, limits, active = machine.readings.host, run.limits, len(machine.active)
    most = machine.max_parallel if limits.max_parallel is None else limits.max_parallel
    assert not machine.queue_held
    assert not run.awaited
    assert most == 0 or active < most
    assert host.ram_available_bytes is None or host.ram_available_bytes >= limits.min_free_ram_bytes
    assert host.disk_free_bytes is None or host.disk_free_bytes >= limits.min_free_disk_bytes
    if limits.max_load_per_core and host.load_1m is not None and host.cores is not None:
        assert host.load_1m < limits.max_load_per_core * host.cores
    if machine.limits.start_burst and machine.limits.starts_per_minute:
        assert machine.bucket.tokens >= 1
    blind = machine.readings.probe_problem or host.ram_available_bytes is None or machine.readings_age_seconds > 3
    assert not (blind and active)


@settings(max_examples=150)
@given(candidates, snapshots())
def test_an_admitted_run_gets_the_requested_number_of_suitable_gpus(run: Candidate, machine: MachineSnapshot) -> None:
    decision = decide(run, machine)
    if isinstance(decision, Hold):
        return
    gpus = decision.placement.gpus
    if machine.readings.probe_problem is None and machine.gpus_known and run.requested_gpus is not None:
        assert len(gpus or ()) == run.requested_gpus
    if run.requested_gpus == 0:
        assert gpus == ()
    by_uuid = {gpu.uuid: gpu for gpu in machine.readings.gpus}
    chosen = [by_uuid[gpu.uuid] for gpu in gpus or ()]
    assert len({gpu.uuid for gpu in chosen}) == len(chosen)
    for gpu in chosen:
        _check_fit(run, machine, gpu)


def _check_fit(run: Candidate, machine: MachineSnapshot, gpu: GpuReading) -> None:
    limits = run.limits
    assert gpu.health in {GpuHealth.OK, GpuHealth.HOT}
    assert gpu.age_seconds + machine.readings_age_seconds <= 3
    if limits.gpu_max_temp_celsius and gpu.temperature_celsius is not None:
        assert gpu.temperature_celsius < limits.gpu_max_temp_celsius - 3
    if limits.gpu_min_free_vram_bytes and gpu.memory_total_bytes is not None and gpu.memory_used_bytes is not None:
        least = max(limits.gpu_min_free_vram_bytes, run.learned_peak_bytes or 0)
        assert gpu.memory_total_bytes - gpu.memory_used_bytes >= least
    for selectors in (run.gpu_ids, run.visible_gpus):
        assert not selectors or {str(gpu.index), gpu.uuid} & set(selectors)
    kept = machine.reservation
    assert kept is None or kept.run_id == run.id or gpu.uuid not in kept.gpu_uuids


def fewer_runs(machine: MachineSnapshot) -> MachineSnapshot:
    """The last run has ended; what it held is still in use."""
    kept = machine.active[:-1]
    ids = {run.id for run in kept}
    return replace(machine, active=kept, claims=tuple(claim for claim in machine.claims if claim.run_id in ids))


def fewer_claims(machine: MachineSnapshot) -> MachineSnapshot:
    return replace(machine, claims=machine.claims[1:])


def nobody_paused(machine: MachineSnapshot) -> MachineSnapshot:
    return replace(machine, active=tuple(replace(run, paused_by=None) for run in machine.active))


def more_host(machine: MachineSnapshot) -> MachineSnapshot:
    host = machine.readings.host
    host = replace(
        host,
        load_1m=None if host.load_1m is None else host.load_1m / 2,
        ram_available_bytes=None if host.ram_available_bytes is None else host.ram_available_bytes + GIGABYTE,
        disk_free_bytes=None if host.disk_free_bytes is None else host.disk_free_bytes + GIGABYTE,
    )
    return replace(machine, readings=replace(machine.readings, host=host))


def more_tokens(machine: MachineSnapshot) -> MachineSnapshot:
    return replace(machine, bucket=replace(machine.bucket, tokens=machine.bucket.tokens + 1))


def released(machine: MachineSnapshot) -> MachineSnapshot:
    return replace(machine, queue_held=False, reservation=None)


def newer_readings(machine: MachineSnapshot) -> MachineSnapshot:
    return replace(machine, readings_age_seconds=machine.readings_age_seconds / 2)


def _each_gpu(machine: MachineSnapshot, change: Callable[[GpuReading], GpuReading]) -> MachineSnapshot:
    return replace(machine, readings=replace(machine.readings, gpus=tuple(map(change, machine.readings.gpus))))


def cooler(machine: MachineSnapshot) -> MachineSnapshot:
    def cool(gpu: GpuReading) -> GpuReading:
        return replace(
            gpu, temperature_celsius=None if gpu.temperature_celsius is None else gpu.temperature_celsius - 10
        )

    return _each_gpu(machine, cool)


def emptier(machine: MachineSnapshot) -> MachineSnapshot:
    def empty(gpu: GpuReading) -> GpuReading:
        return replace(gpu, memory_used_bytes=None if gpu.memory_used_bytes is None else gpu.memory_used_bytes // 2)

    return _each_gpu(machine, empty)


def healthier(machine: MachineSnapshot) -> MachineSnapshot:
    return _each_gpu(machine, lambda gpu: replace(gpu, health=GpuHealth.OK, age_seconds=0.0))


@given(st.lists(candidates, min_size=1, max_size=3), snapshots(), st.sampled_from([[], [1]]))
def test_a_shared_decision_is_the_one_that_a_run_would_get_by_itself(
    runs: list[Candidate], machine: MachineSnapshot, reserving: list[int]
) -> None:
    queue = [replace(run, id=f"{name}-{place}", name=name) for place, run in enumerate(runs) for name in "ab"]
    for place in reserving:
        uuids = frozenset(gpu.uuid for gpu in machine.readings.gpus)
        reservation = Reservation(run_id=queue[place].id, run_name="b", gpu_uuids=uuids)
        machine = replace(machine, reservation=reservation)
    decisions = Decisions()
    for changed in (machine, replace(machine, queue_held=True)):
        assert [decisions.decide(run, changed) for run in queue] == [decide(run, changed) for run in queue]


RELIEFS = (
    fewer_runs,
    fewer_claims,
    nobody_paused,
    more_host,
    more_tokens,
    released,
    newer_readings,
    cooler,
    emptier,
    healthier,
)


@settings(max_examples=200)
@given(candidates, snapshots(), st.lists(st.sampled_from(RELIEFS), min_size=1, max_size=4))
def test_a_freer_machine_never_holds_what_a_busier_one_admits(
    run: Candidate, machine: MachineSnapshot, reliefs: list[Callable[[MachineSnapshot], MachineSnapshot]]
) -> None:
    freer = machine
    for relieve in reliefs:
        freer = relieve(freer)
    if isinstance(decide(run, machine), Admit):
        assert isinstance(decide(run, freer), Admit)


@pytest.mark.parametrize("relieve", RELIEFS)
@settings(max_examples=60)
@given(run=candidates, machine=snapshots())
def test_more_free_resources_never_add_a_kind_of_reason(
    relieve: Callable[[MachineSnapshot], MachineSnapshot], run: Candidate, machine: MachineSnapshot
) -> None:
    before, after = decide(run, machine), decide(run, relieve(machine))
    if isinstance(after, Hold):
        assert isinstance(before, Hold)
        # A GPU that answers again has other reasons than its silence.
        if relieve not in {healthier, newer_readings}:
            assert {reason.check for reason in after.reasons} <= {reason.check for reason in before.reasons}
