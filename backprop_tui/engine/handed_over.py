"""How a run's GPUs, and its share of their memory, are handed over to the script: by environment variables."""

from __future__ import annotations

from backprop_tui.domain.governor.snapshot import Placement
from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.run import Spec
from backprop_tui.domain.telemetry import Readings

# An index means another card to CUDA than to nvidia-smi unless this is set; UUIDs mean the same to both.
_CUDA, _ROCM = "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"


def handed_over(spec: Spec, placement: Placement, readings: Readings) -> dict[str, str]:
    """Variables for the script; none where the machine has no GPU, so that what it inherited stays."""
    name = _ROCM if readings.probe == "amd" else _CUDA
    if placement.gpus is None:
        return {_CUDA: ",".join(spec.gpu_ids), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if spec.gpu_ids else {}
    visible = {name: ",".join(gpu.uuid for gpu in placement.gpus)}
    return visible | _memory_share(spec.limits.gpu_memory_limit, placement, readings)


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
