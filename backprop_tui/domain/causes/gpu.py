"""Detects a GPU that was lost or failed, from driver errors in the log or from its health during the run."""

from __future__ import annotations

from backprop_tui.domain.causes.cause import build_cause
from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.run import Cause

_LOST = (
    r"fall(?:en|s)? off the bus|fell off the bus|GPU is lost|GPU_IS_LOST|\bXid\b|[Uu]ncorrectable ECC"
    r"|[Hh]ardware stack error|CUDA_ERROR_(?:ECC_UNCORRECTABLE|HARDWARE_STACK_ERROR)|device not ready|NVLink error"
    r"|no CUDA-capable device is detected"
    r"|all CUDA-capable devices are busy or unavailable|CUDA-capable device\(s\) is/are busy or unavailable"
)
_ANY_CUDA = r"\bCUDA\b|\bcuda\w*Error|\bNCCL\b|\bCUDNN_|\bCUBLAS_|\bHIP error|hipError"
_BUSY = "busy or unavailable"


def gpu_faults(clues: Clues) -> Cause | None:
    """Recognises driver errors; or, if a GPU of the run was lost, any CUDA error or an end without an exception."""
    hit = clues.find(_LOST)
    trouble = clues.facts.gpu_trouble
    if hit is None and trouble is not None:
        hit = clues.find(_ANY_CUDA)
        if hit is None and clues.exceptions:
            return None  # it failed for another reason
    if hit is None and trouble is None:
        return None
    if hit is not None and _BUSY in hit.text:
        return build_cause(
            "gpu_lost",
            at=hit.line,
            summary="the GPU is busy or unavailable",
            advice="another process may hold it in exclusive mode: nvidia-smi -q -d COMPUTE, then resume",
            retryable=True,
        )
    return build_cause(
        "gpu_lost",
        at=None if hit is None else hit.line,
        evidence=trouble,
        summary=trouble or f"the GPU failed: {'' if hit is None else hit.match[0]}",
        advice="see nvidia-smi and dmesg (NVRM: Xid); resume on another GPU (--gpu-ids), reset or reboot for this one",
        retryable=True,
    )
