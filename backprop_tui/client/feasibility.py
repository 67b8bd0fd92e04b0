"""Refuses a run that this machine could never start, before anything is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backprop_tui.client.run_request import RunOptions
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted, gigabytes_down, gigabytes_up, plain
from backprop_tui.domain.limits import MEGABYTE, RunLimits
from backprop_tui.domain.run import Spec

if TYPE_CHECKING:
    from backprop_tui.domain.telemetry import GpuReading

_SHOW = "backprop-tui status shows its GPUs"
_EXPLAIN = "backprop-tui doctor says where it looked for GPUs"


def check_feasible(session: ClientSession, spec: Spec, options: RunOptions) -> None:
    """Raises UsageError with what the machine has if it is too small for the run, however long that waits.

    The GPUs are only measured if an option is about them. If they cannot be, the run is accepted with a warning.
    """
    _check_ram(session, spec, options)
    vram, limit = options.gpu_min_free_vram_bytes, options.gpu_memory_limit
    if spec.gpus == 0 or not (spec.gpus or spec.gpu_ids or vram or limit):
        return
    from backprop_tui.client.machine import known_gpus  # only needed here
    from backprop_tui.domain.governor.placement import eligible_gpus, required_gpu_count
    from backprop_tui.domain.governor.snapshot import Candidate

    gpus = known_gpus(session.home, session.config_path, spec.gpu_probe)
    candidate = Candidate(
        id="", name="", requested_gpus=spec.gpus, gpu_ids=spec.gpu_ids, visible_gpus=spec.visible_gpus
    )
    if gpus is None:
        if spec.gpus or spec.gpu_ids:
            session.warn(_unchecked(spec, required_gpu_count(candidate, ())))
        return
    eligible = eligible_gpus(candidate, gpus)
    _check_ids(spec, gpus, eligible)
    required = required_gpu_count(candidate, gpus)
    if required > len(eligible):
        advice = f"ask for fewer; {_SHOW}" if gpus else f"without --gpus the run uses the CPU; {_EXPLAIN}"
        raise UsageError(f"--gpus {required}: {_shown(spec, gpus, eligible)}", advice)
    if vram is not None:
        _check_memory(f"--gpu-min-vram {plain(vram / MEGABYTE)}", round(vram), required, eligible)
    if limit is not None and limit.bytes is not None:
        _check_memory(f"--gpu-memory-limit {gigabytes_up(limit.bytes)}", limit.bytes, required, eligible)


def _check_ram(session: ClientSession, spec: Spec, options: RunOptions) -> None:
    needed = spec.limits.min_free_ram_bytes
    if needed == RunLimits().min_free_ram_bytes:
        return  # nobody asked for it, and the start of a detached run must not measure anything
    from backprop_tui.probes.host import HostProbe

    total, _ = HostProbe(disk_path=session.home.root).ram()
    if total is None or needed <= total:
        return
    name = "min_free_ram_gb" if options.min_free_ram_bytes is None else "--min-free-ram"
    has = f"this machine has {gigabytes_down(total)} GB of RAM in total"
    raise UsageError(f"{name} {gigabytes_up(needed)}: {has}", "give less with --min-free-ram GB")


def _check_ids(spec: Spec, gpus: Sequence[GpuReading], eligible: Sequence[GpuReading]) -> None:
    from backprop_tui.domain.governor.placement import is_selected_by

    option = f"--gpu-ids {','.join(spec.gpu_ids)}"
    for selector in spec.gpu_ids:
        if any(is_selected_by(selector, gpu) for gpu in eligible):
            continue
        if any(is_selected_by(selector, gpu) for gpu in gpus):
            hides = f"CUDA_VISIBLE_DEVICES={','.join(spec.visible_gpus or ())} hides GPU {selector}"
            raise UsageError(f"{option}: {hides}", "unset it, or choose another GPU")
        indices = ", ".join(str(gpu.index) for gpu in gpus)
        has = f"GPU {indices}" if gpus else "no GPU"
        raise UsageError(f"{option}: there is no GPU {selector}; this machine has {has}", _SHOW if gpus else _EXPLAIN)
    if len(eligible) < len(spec.gpu_ids):
        raise UsageError(f"{option}: names a GPU twice", "give each once")


def _shown(spec: Spec, gpus: Sequence[GpuReading], eligible: Sequence[GpuReading]) -> str:
    """What the machine has, or what is left of it for this run."""
    if len(eligible) < len(gpus):
        return f"CUDA_VISIBLE_DEVICES={','.join(spec.visible_gpus or ())} shows {counted(len(eligible), 'GPU')}"
    return f"this machine has {counted(len(gpus), 'GPU') if gpus else 'no GPU'}"


def _check_memory(option: str, needed: int, required: int, eligible: Sequence[GpuReading]) -> None:
    """A GPU that does not say how much memory it has may have enough."""
    sizes = sorted((gpu.memory_total_bytes for gpu in eligible if gpu.memory_total_bytes is not None), reverse=True)
    large = len(eligible) - sum(size < needed for size in sizes)
    if large >= required:
        return
    if large > 0:
        only = f"only {large} of {counted(len(eligible), 'GPU')} has that much memory"
        raise UsageError(f"{option}: {only}", "give less, or fewer --gpus")
    largest = f"{sizes[0] // MEGABYTE} MB ({gigabytes_down(sizes[0])} GB)"
    raise UsageError(f"{option}: the largest GPU has {largest}", f"give less; {_SHOW}")


def _unchecked(spec: Spec, required: int) -> str:
    option = f"--gpu-ids {','.join(spec.gpu_ids)}" if spec.gpu_ids else f"--gpus {required}"
    awaited = counted(required, "GPU") + (" is there" if required == 1 else " are there")
    return (
        f"{option}: the GPU probe does not say which GPUs this machine has; the run waits until {awaited}, "
        "and backprop-tui stop RUN takes it out of the queue"
    )
