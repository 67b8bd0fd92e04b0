"""How a run's GPUs, and its share of their memory, are handed over to the script: by environment variables."""

from __future__ import annotations

from backprop_tui.domain.governor.snapshot import Placement
from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.run import Gpu, Spec
from backprop_tui.domain.telemetry import Readings

_CUDA, _HIP, _ROCM = "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
_AMD_UUID = "GPU-"


def gpu_environment(spec: Spec, placement: Placement, readings: Readings) -> dict[str, str]:
    """Variables for the script; none where the machine has no GPU, so that what it inherited stays."""
    if placement.gpus is None:
        # An index means another card to CUDA than to nvidia-smi unless the order is set.
        return {_CUDA: ",".join(spec.gpu_ids), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if spec.gpu_ids else {}
    return _visible(placement.gpus, readings) | _memory_share(spec.limits.gpu_memory_limit, placement, readings)


def _visible(gpus: tuple[Gpu, ...], readings: Readings) -> dict[str, str]:
    """Variables that leave these GPUs alone.

    ROCm applies its variable first; HIP then counts what is left from 0, and reads CUDA's variable as its own, so that
    an inherited one would choose again (rocm.docs.amd.com, "GPU isolation techniques").
    """
    uuids = ",".join(gpu.uuid for gpu in gpus)
    if not gpus:
        return dict.fromkeys((_CUDA, _HIP, _ROCM), "")  # `--gpus 0` does not wait until it is known whose GPUs they are
    if readings.probe != "amd":
        return {_CUDA: uuids}
    left = ",".join(map(str, range(len(gpus))))
    return {_ROCM: ",".join(map(_rocm_name, gpus)), _HIP: left, _CUDA: left}


def _rocm_name(gpu: Gpu) -> str:
    """ROCm knows cards without a serial number by their index alone."""
    return gpu.uuid if gpu.uuid.startswith(_AMD_UUID) else str(gpu.index)


def _memory_share(limit: MemoryLimit | None, placement: Placement, readings: Readings) -> dict[str, str]:
    """What frameworks can be told of a memory limit before they start.

    JAX allocates this share and no more (docs.jax.dev, "GPU memory allocation"; the second name is the one of older
    versions). TensorFlow has no variable for a limit, but one to allocate as it grows instead of everything at once.
    PyTorch's allocator knows `per_process_memory_fraction` only in recent versions and older ones refuse to start with
    it, so a script is told the share under a name of ours, for torch.cuda.set_per_process_memory_fraction.
    """
    ids = {gpu.uuid for gpu in placement.gpus or ()}
    totals = [gpu.memory_total_bytes for gpu in readings.gpus if gpu.uuid in ids and gpu.memory_total_bytes]
    if limit is None or not ids:
        return {}
    fraction = limit.fraction
    if fraction is None and limit.bytes is not None and totals:
        fraction = min(1.0, limit.bytes / min(totals))
    if fraction is None:
        return {}
    share = f"{fraction:.4f}"
    return {
        "BACKPROP_GPU_MEMORY_FRACTION": share,
        "XLA_CLIENT_MEM_FRACTION": share,
        "XLA_PYTHON_CLIENT_MEM_FRACTION": share,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
