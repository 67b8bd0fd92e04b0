"""Classifies NVML's error codes."""

from __future__ import annotations

from enum import Enum, auto

from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.nvidia_driver import (
    BLOCKED,
    LIBRARY_MISSING,
    MISMATCH,
    NO_CARD,
    NO_PERMISSION,
    NOT_LOADED,
    SEE_KERNEL_LOG,
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
    """What an error code means for a query."""

    MISSING = auto()  # the GPU or driver does not have the metric, or does not permit access
    FAILED = auto()  # the metric exists but could not be read
    LOST = auto()  # this GPU is gone
    DRIVER_GONE = auto()  # no GPU can be queried


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
    RESET_REQUIRED: "the GPU needs a reset: `sudo nvidia-smi --gpu-reset`, or reboot",
    GPU_NOT_FOUND: "the GPU is gone",
}

_DRIVER_REASONS = {
    DRIVER_NOT_LOADED: NOT_LOADED,
    LIBRARY_NOT_FOUND: LIBRARY_MISSING,
    LIB_RM_VERSION_MISMATCH: MISMATCH,
    PERMISSION_DENIED: NO_PERMISSION,
    OPERATING_SYSTEM: BLOCKED,
    UNINITIALIZED: "NVML was shut down unexpectedly; it will be reopened",
}


def error_kind(code: int) -> ErrorKind:
    """The kind of a code; an unknown code counts as FAILED."""
    return _ERROR_KINDS.get(code, ErrorKind.FAILED)


def error_text(error: Exception) -> str:
    """NVML's error message, without the full stop."""
    return str(error).rstrip(".") or type(error).__name__


def lost_reason(code: int) -> str:
    """Why a GPU is lost, and what to do."""
    return _LOST_REASONS.get(code, "lost")


def unavailable_error(code: int, error: Exception, *, sys_root: str) -> ProbeUnavailable:
    """The exception to raise if the driver as a whole cannot be queried.

    A library without a driver is not a fault on a machine without an NVIDIA card: packages and images may include it.
    """
    problem = _DRIVER_REASONS.get(code, f"NVML fails, {error_text(error)}: {SEE_KERNEL_LOG}")
    has_no_card = code == DRIVER_NOT_LOADED and nvidia_card_present(sys_root) is False
    if has_no_card:
        problem = NO_CARD
    return ProbeUnavailable(problem, absent=has_no_card or code == LIBRARY_NOT_FOUND)
