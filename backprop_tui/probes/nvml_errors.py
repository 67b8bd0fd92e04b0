"""What NVML's error codes mean to a probe."""

from __future__ import annotations

from enum import Enum, auto

from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.nvidia_driver import (
    BLOCKED,
    LIBRARY_MISSING,
    SEE_KERNEL_LOG,
    MISMATCH,
    NO_CARD,
    NO_PERMISSION,
    NOT_LOADED,
    nvidia_card_present,
)

# nvml.h, nvmlReturn_t
UNINITIALIZED = 1
NOT_SUPPORTED = 3
PERMISSION_DENIED = 4
NOT_FOUND = 6
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
OPERATING_SYSTEM = 17
LIB_RM_VERSION_MISMATCH = 18
NO_DATA = 21
ARGUMENT_VERSION_MISMATCH = 25
DEPRECATED = 26
GPU_NOT_FOUND = 28


class ErrorKind(Enum):
    """What to make of a code."""

    MISSING = auto()  # the GPU or driver has no such figure, or not for us
    FAILED = auto()  # it has one and failed to give it
    LOST = auto()  # this GPU is gone
    DRIVER_GONE = auto()  # nothing can be asked of any GPU


_ERROR_KINDS = {
    NOT_SUPPORTED: ErrorKind.MISSING,
    PERMISSION_DENIED: ErrorKind.MISSING,
    NOT_FOUND: ErrorKind.MISSING,
    FUNCTION_NOT_FOUND: ErrorKind.MISSING,
    NO_DATA: ErrorKind.MISSING,
    ARGUMENT_VERSION_MISMATCH: ErrorKind.MISSING,
    DEPRECATED: ErrorKind.MISSING,
    GPU_IS_LOST: ErrorKind.LOST,
    RESET_REQUIRED: ErrorKind.LOST,
    GPU_NOT_FOUND: ErrorKind.LOST,
    UNINITIALIZED: ErrorKind.DRIVER_GONE,
    DRIVER_NOT_LOADED: ErrorKind.DRIVER_GONE,
    LIBRARY_NOT_FOUND: ErrorKind.DRIVER_GONE,
    LIB_RM_VERSION_MISMATCH: ErrorKind.DRIVER_GONE,
}

_LOST_REASONS = {
    GPU_IS_LOST: "fallen off the bus: reset it (`sudo nvidia-smi --gpu-reset`) or reboot",
    RESET_REQUIRED: "it needs a reset: `sudo nvidia-smi --gpu-reset`, or reboot",
    GPU_NOT_FOUND: "it is no longer there",
}

_DRIVER_REASONS = {
    DRIVER_NOT_LOADED: NOT_LOADED,
    LIBRARY_NOT_FOUND: LIBRARY_MISSING,
    LIB_RM_VERSION_MISMATCH: MISMATCH,
    PERMISSION_DENIED: NO_PERMISSION,
    OPERATING_SYSTEM: BLOCKED,
    UNINITIALIZED: "NVML was shut down under us: opened again soon",
}


def error_kind(code: int) -> ErrorKind:
    """A code that nobody knows yet is a failure."""
    return _ERROR_KINDS.get(code, ErrorKind.FAILED)


def error_text(error: Exception) -> str:
    """NVML's own words, without a full stop."""
    return str(error).rstrip(".") or type(error).__name__


def lost_reason(code: int) -> str:
    """Why a GPU is lost and what to do."""
    return _LOST_REASONS.get(code, "lost")


def unavailable(code: int, error: Exception, *, sys_root: str) -> ProbeUnavailable:
    """The driver as a whole cannot be asked.

    A library without a driver is no fault where the machine has no NVIDIA card: packages and images bring it along.
    """
    problem = _DRIVER_REASONS.get(code, f"NVML fails, {error_text(error)}: {SEE_KERNEL_LOG}")
    without_card = code == DRIVER_NOT_LOADED and nvidia_card_present(sys_root) is False
    if without_card:
        problem = NO_CARD
    return ProbeUnavailable(problem, absent=without_card or code == LIBRARY_NOT_FOUND)
