"""Environment variables that give a script its GPUs and its share of their memory."""

from __future__ import annotations

from backprop_tui.domain.governor.snapshot import Placement
from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.run import Gpu, Spec
from backprop_tui.domain.telemetry import Readings

_CUDA, _HIP, _ROCM = "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
_AMD_UUID = "GPU-"


def gpu_environment(spec: Spec, placement: Placement, readings: Readings) -> dict[str, str]:
    """Variables for the script; empty on a machine without GPUs, so that inherited variables stay in force."""
    if placement.gpus is None:
        # By default CUDA numbers GPUs in another order than nvidia-smi does.
        return {_CUDA: ",".join(spec.gpu_ids), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if spec.gpu_ids else {}
    return _visibility(placement.gpus, readings) | _memory_share(spec.limits.gpu_memory_limit, placement, readings)


def _visibility(gpus: tuple[Gpu, ...], readings: Readings) -> dict[str, str]:
    """Variables that make these GPUs the only visible ones.

    ROCm applies its variable first. HIP then numbers the remaining GPUs from 0, and also reads CUDA's variable, so that
    an inherited one would select a second time (rocm.docs.amd.com, "GPU isolation techniques").
    """
    if not gpus:
        # `--gpus 0` does not wait until the vendor is known, so it hides the GPUs of every vendor.
        return dict.fromkeys((_CUDA, _HIP, _ROCM), "")
    if readings.probe != "amd":
        return {_CUDA: ",".join(gpu.uuid for gpu in gpus)}
    renumbered = ",".join(map(str, range(len(gpus))))
    return {_ROCM: ",".join(map(_rocm_id, gpus)), _HIP: renumbered, _CUDA: renumbered}


def _rocm_id(gpu: Gpu) -> str:
    """The name ROCm knows a GPU by: its index if it has no serial number."""
    return gpu.uuid if gpu.uuid.startswith(_AMD_UUID) else str(gpu.index)


def _memory_share(limit: MemoryLimit | None, placement: Placement, readings: Readings) -> dict[str, str]:
    """Variables that pass a memory limit to the frameworks before they start.

    JAX allocates this share and no more (docs.jax.dev, "GPU memory allocation"; the second name is that of older
    versions). TensorFlow has no variable for a limit, only one that makes it allocate on demand. PyTorch's allocator
    accepts `per_process_memory_fraction` only in recent versions, and older ones refuse to start with it; so scripts
    get the share in a variable of our own, for torch.cuda.set_per_process_memory_fraction.
    """
    uuids = {gpu.uuid for gpu in placement.gpus or ()}
    totals = [gpu.memory_total_bytes for gpu in readings.gpus if gpu.uuid in uuids and gpu.memory_total_bytes]
    if limit is None or not uuids:
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
