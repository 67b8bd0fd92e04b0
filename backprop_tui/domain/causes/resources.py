"""Causes: a resource ran out or failed: GPU memory, host memory, a disk, or the GPU itself."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.cause import batch_option, binary_size, build_cause, decimal_size, halved
from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.shared_machine import worker_death
from backprop_tui.domain.run import Cause

_SIZE = r"([\d.]+ ?(?:[KMGT]i?B|bytes))"
_TORCH = r"(?:CUDA|HIP|XPU|MPS backend) out of memory"
_DRIVER = (
    r"CUDA error: out of memory|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation"
    r"|(?:CUBLAS|CUDNN|CUFFT|CUSOLVER)_STATUS_ALLOC_FAILED|out of memory on device|Failed to allocate memory on GPU"
)
_XLA = r"RESOURCE_EXHAUSTED: .*?(?:Out of memory|out of memory|Failed to allocate)|XlaRuntimeError: RESOURCE_EXHAUSTED"
_TENSORFLOW = r"OOM when allocating tensor with shape\s?\[[\d,]+\].*?GPU:\d"
_REQUESTED_SIZE = (
    rf"[Tt]ried to allocate {_SIZE}",
    rf"(?:trying to allocate|request to allocate|allocating|to allocate) {_SIZE}",
)
_FREE = (rf"of which {_SIZE} is free", rf"{_SIZE} free")
_TOTAL = (rf"total capacity of {_SIZE}", rf"{_SIZE} total capacity")
_GPU = (r"GPU (\d+) has a total", r"\(GPU (\d+);", r"GPU:(\d+)")
_OTHERS = rf"Process (\d+) has {_SIZE} memory in use"
_UNALLOCATED = rf"{_SIZE} is reserved by PyTorch but unallocated"


def gpu_memory(clues: Clues) -> Cause | None:
    """Recognizes messages of PyTorch (old and new), the CUDA libraries, XLA and TensorFlow."""
    hit = clues.find_in_chain(f"{_TORCH}|{_DRIVER}|{_TENSORFLOW}")
    if hit is None and clues.facts.gpu_indices:
        hit = clues.find_in_chain(_XLA)  # on a machine without GPUs, XLA prints the same message for RAM
    if hit is None:
        return None
    holders = _gpu_holders(clues, hit)
    advice, advised = _gpu_memory_advice(clues, hit, holders)
    return build_cause(
        "cuda_oom",
        at=hit.line,
        summary=_gpu_memory_summary(clues, hit),
        advice=advice,
        advised=advised,
        retryable=bool(holders),  # alone on the GPU, the same run needs the same memory again
    )


def _gpu_memory_summary(clues: Clues, hit: Hit) -> str:
    summary = "CUDA out of memory"
    requested = _first_match(_REQUESTED_SIZE, hit.text)
    free, total = _first_match(_FREE, hit.text), _first_match(_TOTAL, hit.text)
    if requested is not None:
        summary += f": requested {_readable_size(requested)}"
        if free is not None:
            summary += f", {_readable_size(free)} free"
    gpu = _first_match(_GPU, hit.text)
    if gpu is not None and (free is not None or total is not None):
        capacity = "" if total is None else f" ({_readable_size(total)})"
        summary += f" on GPU {_machine_index(clues, int(gpu))}{capacity}"
    return summary


def _machine_index(clues: Clues, script_index: int) -> int:
    """Converts the script's GPU index, which counts only the GPUs assigned to it, to the machine's."""
    indices = clues.facts.gpu_indices
    return indices[script_index] if script_index < len(indices) else script_index


def _gpu_holders(clues: Clues, hit: Hit) -> list[str]:
    in_message = [f"pid {pid} held {_readable_size(size)}" for pid, size in re.findall(_OTHERS, hit.text)]
    measured = [
        holder.who + ("" if holder.memory_bytes is None else f" held {binary_size(holder.memory_bytes)}")
        for holder in clues.facts.gpu_holders
    ]
    return measured or in_message


def _gpu_memory_advice(clues: Clues, hit: Hit, holders: list[str]) -> tuple[str, tuple[str, str, str] | None]:
    """The advice, and the option that it changes first."""
    if holders:
        more = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
        advice = "require more free memory with --gpu-min-vram, or wait with --after"
        return f"{holders[0]}{more} on the same GPU: {advice}", None
    batch = batch_option(clues.facts.command)
    smaller = "use a smaller batch" if batch is None else f"halve {batch[0]} ({batch[1]})"
    requested, unallocated = _first_match(_REQUESTED_SIZE, hit.text), _first_match((_UNALLOCATED,), hit.text)
    if requested is not None and unallocated is not None and _size_bytes(unallocated) >= _size_bytes(requested):
        return f"memory is fragmented: --env PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True, or {smaller}", None
    advice = f"{smaller}, accumulate gradients, or choose a GPU with more free memory (--gpu-min-vram)"
    return advice, None if batch is None else halved(*batch)


def _first_match(patterns: tuple[str, ...], text: str) -> str | None:
    for pattern in patterns:
        match = re.search(pattern, text)
        if match is not None:
            return str(match[1])
    return None


def _readable_size(size: str) -> str:
    """Converts plain bytes; other sizes stay as printed."""
    return binary_size(int(float(size.split(maxsplit=1)[0]))) if size.endswith("bytes") else size


def _size_bytes(size: str) -> float:
    match = re.match(r"([\d.]+) ?([KMGT]?)", size)
    if match is None or not match[1].replace(".", "", 1).isdigit():
        return 0.0
    return float(match[1]) * float(1024 ** " KMGT".index(match[2] or " "))


_REFUSED = (
    r"^(?:\w+\.)*_?(?:Array)?MemoryError\b|Cannot allocate memory|std::bad_alloc"
    r"|DefaultCPUAllocator: (?:can't allocate memory|not enough memory)"
    r"|OOM when allocating tensor with shape\s?\[[\d,]+\].*?CPU:\d|RESOURCE_EXHAUSTED: .*?[Oo]ut of memory"
)
# Slurm's report on a step whose processes exceeded the memory of the job.
_KILLED_BY_SLURM = r"slurmstepd: error: Detected \d+ oom[-_ ]kill event|^srun: error: .*: Out Of Memory$"
_NUMPY_SIZE = r"[Uu]nable to allocate ([\d.]+ \wi?B)"
_SIZE_IN_BYTES = r"tried to allocate (\d+) bytes|allocat(?:e|ing) (\d+) bytes"


def host_memory(clues: Clues) -> Cause | None:
    """Recognizes a kill shown by a counter or reported by Slurm, or a refused allocation in the script's output."""
    killed = clues.facts.memory_kill
    if killed is not None and (clues.signal == "SIGKILL" or worker_death(clues) is not None):
        return build_cause(
            "host_oom",
            evidence=killed,
            summary="out of host memory: killed by the kernel",
            advice=f"{_less_memory(clues)}, or let fewer runs share the machine (--max-parallel, --min-free-ram)",
            retryable=True,  # other processes may have used the memory
        )
    if (slurm := clues.find_last(_KILLED_BY_SLURM)) is not None:
        return build_cause(
            "host_oom",
            at=slurm.line,
            summary="out of host memory: killed at the limit of its Slurm job",
            advice=f"request more memory (--mem), or {_less_memory(clues)}",
            retryable=True,
        )
    hit = clues.find_in_chain(_REFUSED)
    if hit is None:
        return None
    readable = re.search(_NUMPY_SIZE, hit.text)
    in_bytes = re.search(_SIZE_IN_BYTES, hit.text)
    size = None if readable is None else readable[1]
    if size is None and in_bytes is not None:
        size = binary_size(int(in_bytes[1] or in_bytes[2]))
    return build_cause(
        "host_oom",
        at=hit.line,
        summary="out of host memory" + ("" if size is None else f": requested {size}"),
        advice=f"{_less_memory(clues)}, or load the data in smaller chunks",
        retryable=True,
    )


def _less_memory(clues: Clues) -> str:
    batch = batch_option(clues.facts.command)
    smaller_batch = "a smaller batch" if batch is None else f"a smaller {batch[0]}"
    return f"use fewer loader workers or {smaller_batch}"


_FULL = (
    r"No space left on device|ENOSPC|Disk quota exceeded|\[Errno 28\]|\[Errno 122\]|database or disk is full"
    r"|insufficient shared memory \(shm\)|unable to write to file </torch_|workers are out of shared memory"
    r"|unable to (?:allocate|resize) .*</torch_|creating shared memory segment|unable to mmap .*/dev/shm"
)
# Errors without the system's message; they only count if the file system really is full.
_WRITE_FAILED = (
    r"PytorchStreamWriter failed writing|inline_container\.cc.*?unexpected pos|basic_ios::clear: iostream error"
    r"|Can't .*?write data"
)
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the mount point, not a temporary file
SHARED_MEMORY_NEEDED_BYTES = 64 * 10**6
_QUOTED_PATH = r"['\"](/?[^'\"\n]+)['\"]"
_NEARLY_FULL_BYTES = 50 * 10**6


def disk(clues: Clues) -> Cause | None:
    """Recognizes the system's error messages; a failed write without one counts if little space is free."""
    hit = clues.find_in_chain(_FULL)
    if hit is not None:
        return _disk_cause(clues, hit, _path_of_error(clues, hit))
    hit = clues.find_in_chain(_WRITE_FAILED)
    for path in () if hit is None else (clues.facts.cwd, *clues.facts.written_folders):
        system = clues.facts.file_system(path)
        is_full = system is not None and (system.free_bytes < _NEARLY_FULL_BYTES or system.free_files == 0)
        if hit is not None and is_full:
            return _disk_cause(clues, hit, path)
    return None


def cut_output(clues: Clues) -> Cause | None:
    """Recognizes a full disk by the run's own files, where it also kept the script's message out of the log."""
    full = clues.facts.disk_full
    if full is None:
        return None
    return build_cause(
        "disk_full",
        evidence=full,
        summary="disk full: there was no room for the end of its output",
        advice="free some space where the runs are kept: backprop-tui clean --older-than 30d, then resume",
    )


def _disk_cause(clues: Clues, hit: Hit, path: str) -> Cause:
    system = clues.facts.file_system(path)
    if path == SHARED_MEMORY:
        is_full = system is None or system.free_bytes < SHARED_MEMORY_NEEDED_BYTES
        free = "" if system is None else f": {binary_size(system.free_bytes)} free{'' if is_full else ' now'}"
        advice = "use fewer or no loader workers (num_workers), or a larger /dev/shm (docker: --shm-size 8g)"
        return build_cause(
            "disk_full", at=hit.line, summary=f"{SHARED_MEMORY} {'is' if is_full else 'was'} full{free}", advice=advice
        )
    problem = "quota exceeded" if "quota" in hit.text or "[Errno 122]" in hit.text else "disk full"
    if system is None:
        return build_cause("disk_full", at=hit.line, summary=problem, advice="free some space, then resume")
    free = f"{decimal_size(system.free_bytes)} free now"
    if system.free_files == 0:
        free = "no inodes left, so no more files can be created"
    return build_cause(
        "disk_full",
        at=hit.line,
        summary=f"{problem}: {system.mount}, {free}",
        advice=f"free some space on {system.mount} (backprop-tui clean, older checkpoints), then resume",
    )


def _path_of_error(clues: Clues, hit: Hit) -> str:
    """The path in the message, else the run's working directory, where nearly everything is written."""
    if re.search(r"\(shm\)|</torch_|/dev/shm|shared memory", hit.text):
        return SHARED_MEMORY
    match = re.search(rf"(?:Errno \d+\][^'\"]*|directory |file ){_QUOTED_PATH}", hit.text)
    if match is None:
        return clues.facts.cwd
    return match[1] if match[1].startswith("/") else f"{clues.facts.cwd}/{match[1]}"


_LOST = (
    r"fall(?:en|s)? off the bus|fell off the bus|GPU is lost|GPU_IS_LOST|\bXid\b|[Uu]ncorrectable ECC"
    r"|[Hh]ardware stack error|CUDA_ERROR_(?:ECC_UNCORRECTABLE|HARDWARE_STACK_ERROR)|device not ready|NVLink error"
    r"|[Nn]o CUDA-capable device is detected"
    r"|all CUDA-capable devices are busy or unavailable|CUDA-capable device\(s\) is/are busy or unavailable"
)
_ANY_CUDA = r"\bCUDA\b|\bcuda\w*Error|\bNCCL\b|\bCUDNN_|\bCUBLAS_|\bHIP error|hipError"
_BUSY = "busy or unavailable"


def gpu_faults(clues: Clues) -> Cause | None:
    """Recognizes driver errors; or, if a GPU of the run was lost, any CUDA error or an end without an exception."""
    hit = clues.find_in_chain(_LOST)
    trouble = clues.facts.gpu_trouble
    if hit is None and trouble is not None:
        hit = clues.find_in_chain(_ANY_CUDA)
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
