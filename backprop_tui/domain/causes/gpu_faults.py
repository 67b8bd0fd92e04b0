"""A GPU that was lost or broke under the run: the driver's words in the log, or its health while the run went on."""

from __future__ import annotations

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import made
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
    """The driver's words; or, while a GPU of the run was lost, any failure that speaks of CUDA or of nothing."""
    hit = clues.find(_LOST)
    trouble = clues.facts.gpu_trouble
    if hit is None and trouble is not None:
        hit = clues.find(_ANY_CUDA)
        if hit is None and clues.failures:
            return None  # it died of something else
    if hit is None and trouble is None:
        return None
    if hit is not None and _BUSY in hit.text:
        return made(
            "gpu_lost",
            at=hit.line,
            summary="the GPU is busy or unavailable",
            advice="another process may hold it in exclusive mode: nvidia-smi -q -d COMPUTE, then resume",
            retryable=True,
        )
    return made(
        "gpu_lost",
        at=None if hit is None else hit.line,
        evidence=trouble,
        summary=trouble or _words(hit.match[0] if hit is not None else ""),
        advice="see nvidia-smi and dmesg (NVRM: Xid); resume on another GPU (--gpu-ids), reset or reboot for this one",
        retryable=True,
    )


def _words(said: str) -> str:
    return f"the GPU failed: {said}"
