"""Which GPUs a run may use, whether each is fit, which ones it is placed on, and which are reserved for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from backprop_tui.domain.formatting import counted, duration, gigabytes_down, gigabytes_up, plain
from backprop_tui.domain.governor.claims import free_after_claims, outstanding_bytes
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.governor.snapshot import Candidate, MachineSnapshot, Placement, Reservation
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MEGABYTE, continue_below_celsius, start_below_celsius
from backprop_tui.domain.requests import BY_HEAT
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GONE, GpuHealth, GpuProcess, GpuReading


def eligible_gpus(candidate: Candidate, gpus: Iterable[GpuReading]) -> tuple[GpuReading, ...]:
    """Returns the GPUs that a run may use, ordered by index, whether they are suitable now or not."""
    eligible = sorted(gpus, key=lambda gpu: gpu.index)
    if candidate.visible_gpus is not None:
        eligible = _visible(candidate.visible_gpus, eligible)
    if candidate.gpu_ids:
        eligible = [gpu for gpu in eligible if any(is_selected_by(selector, gpu) for selector in candidate.gpu_ids)]
    return tuple(eligible)


def required_gpu_count(candidate: Candidate, gpus: Iterable[GpuReading]) -> int:
    if candidate.requested_gpus is not None:
        return candidate.requested_gpus
    if candidate.gpu_ids:
        return len(set(candidate.gpu_ids))
    return 1 if eligible_gpus(candidate, gpus) else 0


def _visible(selectors: Iterable[str], gpus: list[GpuReading]) -> list[GpuReading]:
    """Applies CUDA_VISIBLE_DEVICES: the first entry that matches no GPU hides itself and all entries after it."""
    visible: list[GpuReading] = []
    for selector in selectors:
        matching = [gpu for gpu in gpus if is_selected_by(selector, gpu)]
        if not matching:
            break
        visible.extend(matching)
    return [gpu for gpu in gpus if gpu in visible]


def is_selected_by(selector: str, gpu: GpuReading) -> bool:
    """Whether a selector means this GPU: its index, its UUID or a prefix of that."""
    selector = selector.strip()
    if selector.isdecimal():
        return int(selector) == gpu.index
    return bool(selector) and gpu.uuid.lower().startswith(selector.lower())


def unfit_reasons(candidate: Candidate, snapshot: MachineSnapshot, gpu: GpuReading) -> tuple[HoldReason, ...]:
    """Returns all reasons against starting the run on this GPU now; for one that does not answer, only that reason."""
    unhealthy = _check_health(snapshot, gpu)
    if unhealthy is not None:
        return (unhealthy,)
    reasons = (check(candidate, snapshot, gpu) for check in (_check_reservation, _check_temperature, _check_memory))
    return tuple(reason for reason in reasons if reason is not None)


def _needed_vram_bytes(candidate: Candidate, snapshot: MachineSnapshot, gpu: GpuReading) -> int:
    """The free VRAM that a run needs to start on a GPU.

    The margin above a learned peak only applies when the GPU is shared with other runs. With it on an empty GPU, a run
    that once filled a GPU would never start again.
    """
    return candidate.claim_bytes if snapshot.runs_on(gpu) else _needed_when_empty(candidate)


def _check_health(snapshot: MachineSnapshot, gpu: GpuReading) -> HoldReason | None:
    if snapshot.answers(gpu):
        return None
    problem = f": {gpu.problem}" if gpu.problem else ""
    health = gpu.health
    match health:
        case GpuHealth.LOST:
            state = "lost"
        case GpuHealth.UNKNOWN:
            state = "never answered"
        case GpuHealth.OK | GpuHealth.HOT | GpuHealth.STALE:
            health = GpuHealth.STALE
            state = f"not answering for {duration(gpu.age_seconds + snapshot.readings_age_seconds)}"
    return HoldReason(
        check=Check.GPU_HEALTH,
        figure=health.value,
        limit=GpuHealth.OK.value,
        gpu=gpu.index,
        message=f"GPU {gpu.index} {state}{problem}",
    )


def _check_reservation(candidate: Candidate, snapshot: MachineSnapshot, gpu: GpuReading) -> HoldReason | None:
    reservation = snapshot.reservation
    if reservation is None or reservation.run_id == candidate.id or gpu.uuid not in reservation.gpu_uuids:
        return None
    message = f"GPU {gpu.index} kept for {reservation.run_name}"
    return HoldReason(check=Check.GPU_COUNT, figure=0, limit=1, gpu=gpu.index, message=message)


def _check_temperature(candidate: Candidate, snapshot: MachineSnapshot, gpu: GpuReading) -> HoldReason | None:
    """If a run on the GPU is paused for heat, a start waits for the same temperature, or it would keep that paused."""
    limits, temperature = candidate.limits, gpu.temperature_celsius
    if limits.gpu_max_temp_celsius <= 0 or temperature is None:
        return None
    below = start_below_celsius(limits)
    if any(run.paused_by == BY_HEAT for run in snapshot.runs_on(gpu)):
        below = min(below, continue_below_celsius(limits))
    if temperature < below:
        return None
    return HoldReason(
        check=Check.GPU_TEMPERATURE,
        figure=temperature,
        limit=below,
        gpu=gpu.index,
        message=f"GPU {gpu.index} too hot, {plain(temperature)} °C, starts below {plain(below)}",
    ).by("gpu.max_temp_c", plain(limits.gpu_max_temp_celsius))


def _check_memory(candidate: Candidate, snapshot: MachineSnapshot, gpu: GpuReading) -> HoldReason | None:
    free = free_after_claims(gpu, snapshot.claims)
    needed = _needed_vram_bytes(candidate, snapshot, gpu)
    minimum = candidate.limits.gpu_min_free_vram_bytes
    if minimum <= 0 or free is None or free >= needed:
        return None
    reason = HoldReason(
        check=Check.GPU_MEMORY,
        figure=max(0, free),
        limit=needed,
        gpu=gpu.index,
        message=f"GPU {gpu.index}{_memory_obstacle(snapshot, gpu, free, needed)}",
    )
    if needed > minimum:
        peak = gigabytes_up(candidate.learned_peak_bytes or 0)
        return replace(reason, message=f"{reason.message} (earlier runs used {peak})")
    return reason.by("gpu.min_free_vram_mb", plain(minimum / MEGABYTE))


def _memory_obstacle(snapshot: MachineSnapshot, gpu: GpuReading, free: int, needed: int) -> str:
    """Names the obstacle: the size of the GPU, a claim, another user's process, or just the memory in use."""
    total = gpu.memory_total_bytes or 0
    if total < needed:
        return f" has {gigabytes_down(total)} GB in total, needs {gigabytes_up(needed)}"
    claimed = outstanding_bytes(gpu, snapshot.claims)
    if claimed and free + claimed >= needed:
        return f" claimed by {_largest_claimant(snapshot, gpu)}, still loading"
    message = f": {gigabytes_down(max(0, free))} GB {'unclaimed' if claimed else 'free'}, needs {gigabytes_up(needed)}"
    process = _largest_foreign_process(gpu)
    if process is not None and free + (process.memory_bytes or 0) >= needed:
        owner = f" ({process.owner})" if process.owner else ""
        message += f", pid {process.pid}{owner} holds {gigabytes_down(process.memory_bytes or 0)}"
    return message


def _largest_claimant(snapshot: MachineSnapshot, gpu: GpuReading) -> str:
    claims = [claim for claim in snapshot.claims if claim.gpu_uuid == gpu.uuid]
    return max(claims, key=lambda claim: outstanding_bytes(gpu, [claim])).run_name


def _largest_foreign_process(gpu: GpuReading) -> GpuProcess | None:
    foreign = [process for process in gpu.processes if process.run is None and process.memory_bytes is not None]
    return max(foreign, key=lambda process: process.memory_bytes or 0, default=None)


def place(candidate: Candidate, snapshot: MachineSnapshot) -> Placement | tuple[HoldReason, ...]:
    """Returns where the run would start, or why it cannot start anywhere.

    With a broken probe nothing is known about any GPU: the run is not placed, and admission lets only one run start.
    """
    gpus = snapshot.readings.gpus
    if candidate.requested_gpus == 0:
        return Placement(gpus=())
    if not snapshot.gpus_known:
        return (HoldReason(check=Check.PROBE, message="GPU probe has not answered yet"),)
    required = required_gpu_count(candidate, gpus)
    if snapshot.readings.probe_problem is not None or required == 0:
        return Placement(gpus=None)
    eligible = eligible_gpus(candidate, gpus)
    reasons = {gpu.uuid: unfit_reasons(candidate, snapshot, gpu) for gpu in eligible}
    fit = [gpu for gpu in eligible if not reasons[gpu.uuid]]
    if len(fit) >= required:
        return _placement_on(sorted(fit, key=lambda gpu: gpu_preference(snapshot, gpu))[:required], candidate, snapshot)
    too_small = [gpu for gpu in eligible if _is_too_small(candidate, gpu)]
    if len(eligible) >= required > len(eligible) - len(too_small):
        for gpu in too_small:
            reasons[gpu.uuid] = _as_permanent(reasons[gpu.uuid])
    of_gpus = [reasons[gpu.uuid] for gpu in eligible]
    summary = () if len(eligible) == required == 1 else (_summary(candidate, of_gpus, required),)
    return (*summary, *(reason for of_gpu in of_gpus for reason in of_gpu))


def _as_permanent(reasons: tuple[HoldReason, ...]) -> tuple[HoldReason, ...]:
    return tuple(reason.as_permanent() if reason.check is Check.GPU_MEMORY else reason for reason in reasons)


def _is_too_small(candidate: Candidate, gpu: GpuReading) -> bool:
    """Whether the run could not start on this GPU even if it were empty."""
    total = gpu.memory_total_bytes
    return total is not None and total < _needed_when_empty(candidate)


def _needed_when_empty(candidate: Candidate) -> int:
    return max(candidate.limits.gpu_min_free_vram_bytes, candidate.learned_peak_bytes or 0)


def gpu_preference(snapshot: MachineSnapshot, gpu: GpuReading) -> tuple[int, int, int]:
    """Sort key: fewest runs and foreign processes, then most free VRAM after claims, then index.

    Free VRAM alone would put all runs on the largest GPU while smaller ones are idle.
    """
    foreign = sum(process.run is None and process.owner is not None for process in gpu.processes)
    users = len(snapshot.runs_on(gpu)) + foreign
    return users, -(free_after_claims(gpu, snapshot.claims) or 0), gpu.index


def _placement_on(gpus: Sequence[GpuReading], candidate: Candidate, snapshot: MachineSnapshot) -> Placement:
    """A placement on these GPUs; the claim is limited to what is free."""
    free_bytes = (free_after_claims(gpu, snapshot.claims) for gpu in gpus)
    claim = min([candidate.claim_bytes, *(max(0, free) for free in free_bytes if free is not None)])
    chosen = sorted(gpus, key=lambda gpu: gpu.index)
    return Placement(gpus=tuple(Gpu(index=gpu.index, uuid=gpu.uuid) for gpu in chosen), claim_bytes=claim)


def _summary(candidate: Candidate, reasons: Sequence[tuple[HoldReason, ...]], required: int) -> HoldReason:
    """The one check that the reasons of the single GPUs add up to; it ends with the options and settings behind it."""
    fit = sum(not of_gpu for of_gpu in reasons)
    large = sum(not any(reason.permanent for reason in of_gpu) for of_gpu in reasons)
    message, behind = f"needs {counted(required, 'GPU')}", [f"--gpus {required}"] if required > 1 else []
    settings = dict.fromkeys(reason.behind for of_gpu in reasons for reason in of_gpu if reason.behind)
    check, is_permanent = Check.GPU_COUNT, len(reasons) < required
    if is_permanent:
        message += f", {_available(candidate, len(reasons))}"
        behind += [f"--gpu-ids {','.join(candidate.gpu_ids)}"] if candidate.gpu_ids else []
    elif large < required:
        check, is_permanent = Check.GPU_MEMORY, True
        size = gigabytes_up(_needed_when_empty(candidate))
        message += f" of {size} GB, {large or 'none'} of {len(reasons)} {'are' if large > 1 else 'is'} that large"
        behind += settings
    elif required == 1:
        lack, best = _lack(reasons)
        message, behind = f"none of {len(reasons)} GPUs {lack}", [*best, *settings]
    else:
        message += f", {fit} usable"
        behind += settings
    message += f" ({'; '.join(behind)})" if behind else ""
    figure, limit = (None, None) if check is Check.GPU_MEMORY else (fit, required)
    reason = HoldReason(check=check, figure=figure, limit=limit, message=message)
    return reason.as_permanent() if is_permanent else reason


def _available(candidate: Candidate, eligible: int) -> str:
    if candidate.gpu_ids:
        return f"{eligible or 'none'} of those chosen here"
    if candidate.visible_gpus is not None:
        return f"CUDA_VISIBLE_DEVICES shows {eligible or 'none'}"
    return f"machine has {eligible}" if eligible else "the GPU probe finds none"


def _lack(reasons: Sequence[tuple[HoldReason, ...]]) -> tuple[str, Sequence[str]]:
    """What all GPUs lack, with the best of them; or how many are unfit for what: `usable: 3 too full + 1 too hot`."""
    short = [reason for of_gpu in reasons for reason in of_gpu if reason.check is Check.GPU_MEMORY]
    best = max(short, key=lambda reason: float(reason.figure or 0), default=None)
    needed = min((float(reason.limit or 0) for reason in short), default=0.0)
    if best is not None and len(short) == len(reasons) and float(best.figure or 0) < needed:
        word = "unclaimed" if "claimed" in best.message else "free"
        most = f"best: GPU {best.gpu}, {gigabytes_down(int(best.figure or 0))} {word}"
        return f"has {gigabytes_up(int(needed))} GB", (most,)
    counts = Counter(_obstacle(of_gpu[0]) for of_gpu in reasons)
    # Without commas: where there is little room, what is behind one is left out.
    return "usable: " + " + ".join(f"{count} {obstacle}" for obstacle, count in counts.most_common()), ()


def _obstacle(reason: HoldReason) -> str:
    match reason.check:
        case Check.GPU_MEMORY:
            return "too full"
        case Check.GPU_TEMPERATURE:
            return "too hot"
        case Check.GPU_HEALTH:
            return "not answering"
        case _:
            return reason.message.removeprefix(f"GPU {reason.gpu} ")


# Small runs may overtake a run that does not fit yet. But once the first run that waits for GPUs has waited this long,
# the GPUs it needs are reserved: nothing new starts on them, runs there may finish, and each pass considers the waiting
# run first. Nothing is reserved for a run that does not fit on this machine at all, that waits for another run, or that
# is held for other reasons than GPUs.
RESERVE_AFTER_SECONDS = 300.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class HeadOfQueue:
    """The first run of the queue that waits for GPUs, and the monotonic time since when it has been the first."""

    run_id: str
    since: float


def head_of_queue(
    previous: HeadOfQueue | None, queue: Sequence[Candidate], snapshot: MachineSnapshot
) -> HeadOfQueue | None:
    """Returns the head for this pass over the queue; None if no run waits for GPUs.

    The head of the last pass stays unless a run before it waits, even if something else holds it for a moment.
    """
    free_for_all = replace(snapshot, reservation=None)
    others: set[Candidate] = set()  # requests that do not wait for GPUs
    for candidate in queue:
        stays = previous is not None and previous.run_id == candidate.id
        request = candidate.request
        if request in others and not stays:
            continue
        if _could_run(candidate, snapshot) and (stays or _waits_for_gpus(candidate, free_for_all)):
            return previous if stays else HeadOfQueue(run_id=candidate.id, since=snapshot.now)
        others.add(request)
    return None


def reserve(head: HeadOfQueue | None, queue: Sequence[Candidate], snapshot: MachineSnapshot) -> Reservation | None:
    """Reserves GPUs for the head once it has waited long enough: suitable ones first, then the closest to suitable."""
    if head is None or snapshot.now - head.since < RESERVE_AFTER_SECONDS:
        return None
    free_for_all = replace(snapshot, reservation=None)
    candidate = next((candidate for candidate in queue if candidate.id == head.run_id), None)
    if candidate is None or not _waits_for_gpus(candidate, free_for_all):
        return None

    def reservation_order(gpu: GpuReading) -> tuple[bool, bool, tuple[int, int, int]]:
        fit = not unfit_reasons(candidate, free_for_all, gpu)
        return not fit, not snapshot.answers(gpu), gpu_preference(snapshot, gpu)

    nearest = sorted(_large_enough(candidate, snapshot), key=reservation_order)
    kept = nearest[: required_gpu_count(candidate, snapshot.readings.gpus)]
    return Reservation(run_id=candidate.id, run_name=candidate.name, gpu_uuids=frozenset(gpu.uuid for gpu in kept))


def _waits_for_gpus(candidate: Candidate, snapshot: MachineSnapshot) -> bool:
    return not isinstance(place(candidate, snapshot), Placement)


def _could_run(candidate: Candidate, snapshot: MachineSnapshot) -> bool:
    """Whether the run has no unmet dependency and would fit on this machine once the other runs have ended."""
    required = required_gpu_count(candidate, snapshot.readings.gpus)
    return not candidate.awaited and 0 < required <= len(_large_enough(candidate, snapshot))


def _large_enough(candidate: Candidate, snapshot: MachineSnapshot) -> list[GpuReading]:
    """The eligible GPUs that are large enough for the run once the other runs have ended."""
    needed = _needed_when_empty(candidate)
    return [
        gpu
        for gpu in eligible_gpus(candidate, snapshot.readings.gpus)
        if gpu.health not in GONE and _has_room(snapshot, gpu, needed)
    ]


def _has_room(snapshot: MachineSnapshot, gpu: GpuReading, needed: int) -> bool:
    """Whether foreign processes leave that much; without a run on the GPU, all memory in use is theirs."""
    if gpu.memory_total_bytes is None or gpu.memory_used_bytes is None:
        return True
    if not snapshot.runs_on(gpu):
        return gpu.memory_total_bytes - gpu.memory_used_bytes >= needed
    foreign = sum(process.memory_bytes or 0 for process in gpu.processes if process.owner and process.run is None)
    return gpu.memory_total_bytes - foreign >= needed
