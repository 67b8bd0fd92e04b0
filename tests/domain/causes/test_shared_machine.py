"""Common problems on a shared machine, as frameworks, libraries and launchers report them."""

from __future__ import annotations

import pytest

from backprop_tui.domain.causes.clues import FileSystem
from tests.domain.causes.failures import cause_of, raised

SOCKET = (
    "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address. port:"
    " 29512, useIpv6: false, code: -98, name: EADDRINUSE, message: address already in use"
)
OLD_SOCKET = (
    "RuntimeError: The server socket has failed to listen on any local network address. The server socket has failed to"
    " bind to [::]:29500 (errno: 98 - Address already in use)."
)
ACCELERATE = (
    "ConnectionError: Tried to launch distributed communication on port `29500`, but another process is utilizing it."
    " Please specify a different port (such as using the `--main_process_port` flag)"
)
GATED = (
    "OSError: You are trying to access a gated repo.\nMake sure to have access to it at https://huggingface.co/o/m.\n"
    "401 Client Error. Access to model o/m is restricted. You must have access to it and be authenticated."
)
WANDB = "wandb.errors.errors.UsageError: api_key not configured (no-tty). call wandb.login(key=[your_api_key])"
DRIVER = (
    "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver"
)
COMPATIBILITY = (
    "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: forward compatibility was attempted on non"
    " supported HW"
)
MAX_RETRIES = (
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded"
    " with url: /x (Caused by NameResolutionError('Temporary failure in name resolution'))"
)
STATE = (
    'RuntimeError: Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: "a.weight". \n'
    "\tsize mismatch for b: copying a param with shape torch.Size([5]) from checkpoint"
)
READER = "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory"
ASSERT = (
    "RuntimeError: CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported\n"
    "For debugging consider passing CUDA_LAUNCH_BLOCKING=1"
)
NCCL = (
    "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1970, unhandled system error, NCCL version"
    " 2.21.5\nncclSystemError: System call (e.g. socket, malloc) or external library call failed"
)
NCCL_SHM = "torch.distributed.DistBackendError: NCCL error\nError while creating shared memory segment /dev/shm/nccl-x"
SHM_SIZE = (
    "RuntimeError: unable to allocate shared memory(shm) for file </torch_3_1_0>: Resource temporarily unavailable"
)
FD = "RuntimeError: unable to open shared memory object </torch_3_1_0> in read-write mode: Too many open files (24)"
SPAWNED = "torch.multiprocessing.spawn.ProcessExitedException: process 1 terminated with signal SIGKILL"
POOL = (
    "concurrent.futures.process.BrokenProcessPool: A process in the process pool was terminated abruptly while the"
    " future was running or pending."
)
WORKER = "RuntimeError: DataLoader worker (pid(s) 4711, 4712) exited unexpectedly"
STORE = (
    "torch.distributed.DistNetworkError: The client socket has timed out after 600000ms while trying to connect to"
    " (node1, 29500)."
)
HTTP = "requests.exceptions.HTTPError: {} for url: https://example.org/data.tar"


@pytest.mark.parametrize(
    ("error", "kind", "summary", "advice", "retryable"),
    [
        (SOCKET, "port_in_use", "port 29512 is taken", "torchrun --standalone", True),
        (OLD_SOCKET, "port_in_use", "port 29500 is taken", "--rdzv-endpoint localhost:0", True),
        (ACCELERATE, "port_in_use", "port 29500 is taken", "--main_process_port 0", True),
        ("OSError: [Errno 98] Address already in use", "port_in_use", "a port is taken", "MASTER_PORT", True),
        ("ValueError: TensorBoard could not bind to port 6006", "port_in_use", "port 6006 is taken", "", True),
        ("OSError: [Errno 24] Too many open files: 'a.png'", "open_files", "too many open files", "ulimit -n", False),
        ("RuntimeError: received 0 items of ancdata", "open_files", "too many", "set_sharing_strategy", False),
        (FD, "open_files", "too many open files", "fewer loader workers", False),
        ("EOFError: EOF when reading a line", "input_required", "input", "--env", False),
        ("termios.error: (25, 'Inappropriate ioctl for device')", "input_required", "input", "--env", False),
        ("click.exceptions.Abort", "input_required", "asked for input", "", False),
        ("bdb.BdbQuit", "input_required", "asked for input", "", False),
        (GATED, "login_required", "gated", "request access", False),
        (WANDB, "login_required", "Weights & Biases", "WANDB_MODE=offline", False),
        (HTTP.format("401 Client Error: Unauthorized"), "login_required", "login", "token", False),
        ("botocore.exceptions.NoCredentialsError: Unable to locate credentials", "login_required", "login", "", False),
        (DRIVER, "driver_too_old", "too old for this build (it supports CUDA 11.4)", "update the driver", False),
        (
            "RuntimeError: CUDA error: CUDA driver version is insufficient for CUDA runtime version",
            "driver_too_old", "too old", "older CUDA", False,
        ),
        (
            COMPATIBILITY,
            "driver_too_old", "too old", "update", False,
        ),
        ("RuntimeError: No CUDA GPUs are available", "no_gpu", "found none", "nvidia-smi", False),
        ("AssertionError: Torch not compiled with CUDA enabled", "no_gpu", "without GPU support", "CUDA build", False),
        ("RuntimeError: CUDA error: invalid device ordinal\nCUDA kernel", "no_gpu", "not exist", "--gpus N", False),
        ("RuntimeError: CUDA error: no CUDA-capable device is detected", "no_gpu", "found none", "CPU", False),
        ("RuntimeError: No HIP GPUs are available", "no_gpu", "found none", "CPU", False),
        ("RuntimeError: The MPS backend is not available on this machine", "no_gpu", "found none", "CPU", False),
        (MAX_RETRIES, "network", "ConnectionError: HTTPSConnectionPool", "--retries", True),
        ("TimeoutError: [Errno 110] Connection timed out", "network", "TimeoutError", "--retries", True),
        ("urllib.error.URLError: <urlopen error [Errno 101] Network is unreachable>", "network", None, "network", True),
        ("urllib.error.HTTPError: HTTP Error 503: Service Unavailable", "network", None, "--retries", True),
        (HTTP.format("429 Client Error: Too Many Requests"), "network", None, "--retries", True),
        (HTTP.format("404 Client Error: Not Found"), "python_error", None, "check the name", False),
        (STORE, "network", "DistNetworkError: The client socket", "MASTER_ADDR", True),
        (SHM_SIZE, "disk_full", "/dev/shm is full", "--shm-size", False),
        (NCCL_SHM, "disk_full", "/dev/shm is full", "--shm-size", False),
        (NCCL, "python_error", "DistBackendError: NCCL error", "NCCL_DEBUG=INFO", True),
        (SPAWNED, "worker_died", "a worker process died: ", "memory", True),
        (POOL, "worker_died", "a worker process died: ", "memory", True),
        (WORKER, "worker_died", "loader's worker died", "fewer loader workers", True),
        (STATE, "python_error", "Error(s) in loading state_dict for Net: Missing", "another model", False),
        (READER, "python_error", "PytorchStreamReader", "damaged or incomplete", False),
        ("_pickle.UnpicklingError: invalid load key, 'v'.", "python_error", None, "damaged", False),
        ("EOFError: Ran out of input", "python_error", "EOFError: Ran out of input", "damaged", False),
        (
            "_pickle.UnpicklingError: Weights only load failed. WeightsUnpickler error: Unsupported global",
            "python_error", None, "weights_only=False", False,
        ),
        (ASSERT, "python_error", "device-side assert", "CUDA_LAUNCH_BLOCKING=1", False),
        ("RuntimeError: CUDA error: an illegal memory access was encountered", "python_error", None, "BLOCKING", True),
        ("RuntimeError: CUDA error: no kernel image is available", "python_error", None, "--gpu-ids", False),
        (
            "RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing",
            "python_error", None, "spawn", False,
        ),
        ("OSError: [Errno 30] Read-only file system: '/data/a.pt'", "python_error", None, "read-only", False),
        ("PermissionError: [Errno 13] Permission denied: '/data/a.pt'", "python_error", None, "chmod", False),
        ("OSError: [Errno 25] Inappropriate ioctl for device", "python_error", "OSError", "fix /w/train.py", True),
        ("ValueError: port must be positive", "python_error", "ValueError: port must be positive", "fix", True),
    ],
)  # fmt: skip
def test_each_problem_has_its_kind_and_advice(
    error: str,
    kind: str,
    summary: str | None,
    advice: str,
    retryable: bool,  # noqa: FBT001, a column of the table
) -> None:
    cause = cause_of("epoch 1\n" + raised(error))
    assert (cause.kind, cause.retryable) == (kind, retryable), cause
    assert summary is None or summary in (cause.summary or "")
    assert advice in (cause.advice or "")
    assert cause.evidence
    assert cause.line is not None
    assert cause.line >= 5


def test_the_holder_of_a_port_is_named() -> None:
    asked: list[int] = []

    def holder(port: int) -> str:
        asked.append(port)
        return "run vit"

    assert cause_of(raised(SOCKET), port_holder=holder).summary == "port 29512 is taken by run vit"
    command = ("torchrun", "--master-port", "29777", "train.py")
    bare = cause_of(raised("RuntimeError: Address already in use"), port_holder=holder, command=command)
    assert bare.summary == "port 29777 is taken by run vit"
    assert asked == [29512, 29777]


def test_shared_memory_is_named_in_the_line_before_or_in_the_exception() -> None:
    log = (
        "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).\n"
        + raised("_queue.Empty")
        + "\nThe above exception was the direct cause of the following exception:\n\n"
        + raised(
            "RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's"
            " workers are out of shared memory. Please try to raise your shared memory limit."
        )
    )
    cause = cause_of(log, file_system=lambda _: FileSystem(mount="/dev/shm", free_bytes=25 * 10**9))
    assert (cause.kind, cause.summary) == ("disk_full", "/dev/shm was full: 23.28 GiB free now")
    assert cause_of(log, file_system=lambda _: FileSystem(mount="/dev/shm", free_bytes=0)).kind == "disk_full"


TRANSPORT = raised("{}", path="/env/lib/python3.11/site-packages/torch/multiprocessing/reductions.py")


@pytest.mark.parametrize(
    "error",
    [
        "ConnectionResetError: [Errno 104] Connection reset by peer",
        "EOFError",
        "FileNotFoundError: [Errno 2] No such file or directory",
    ],
)
def test_a_broken_connection_to_a_loader_worker_means_that_it_died(error: str) -> None:
    cause = cause_of(TRANSPORT.format(error))
    assert (cause.kind, cause.retryable) == ("worker_died", True)
    assert "worker" in (cause.summary or "")
    assert cause_of(TRANSPORT.format(error), memory_kill="oom_kill went from 0 to 1").kind == "host_oom"
    assert cause_of(raised(error)).kind != "worker_died"


def test_a_missing_gpu_differs_from_a_build_without_gpu_support() -> None:
    driver = raised("RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU")
    build = raised("AssertionError: Torch not compiled with CUDA enabled")
    for log in (driver, build):
        cause = cause_of(log, machine_gpus=0)
        assert cause.summary == "it needs a GPU, and this machine has none"
        assert "--device=cpu" in (cause.advice or "")
        assert "install" not in (cause.advice or "")
    assert "CUDA build" in (cause_of(build, machine_gpus=2).advice or "")
    hidden = cause_of(driver, machine_gpus=2, hidden_gpus="--gpus 0 hides them")
    assert hidden.summary == "it needs a GPU and saw none: --gpus 0 hides them"
    assert "--gpus 1" in (hidden.advice or "")
    lost = raised("RuntimeError: CUDA error: no CUDA-capable device is detected")
    assert cause_of(lost, gpu_indices=(0,), machine_gpus=2).kind == "gpu_lost"


def test_the_limit_of_open_files_is_named() -> None:
    cause = cause_of(raised("OSError: [Errno 24] Too many open files"), open_files=1024)
    assert cause.summary == "too many open files: the limit is 1024 (ulimit -n)"


def test_words_in_ordinary_output_are_no_cause() -> None:
    for line in (
        "retrying: Connection refused",
        "CUDA is not available, training on the CPU",
        "see wandb.login() in the manual",
        "port 6006 is in usage",
        "WARNING: 401 Client Error for telemetry",
    ):
        cause = cause_of(f"{line}\nstep 1\nno data left\n", exit_code=3)
        assert (cause.kind, cause.summary) == ("unknown", "exit code 3, last line: no data left"), line


def test_a_prompt_of_click_or_getpass_is_recognised() -> None:
    assert cause_of("Overwrite? [y/N]: Aborted!\nAborted!\n").kind == "input_required"
    password = raised("EOFError", path="/usr/lib/python3.11/getpass.py")
    assert cause_of(password).kind == "input_required"
    assert cause_of(raised("EOFError")).kind == "python_error"


@pytest.mark.parametrize(
    ("log", "summary", "advice"),
    [
        (
            "epoch 1\nOverwrite best model? [y/N] " + raised("EOFError: EOF when reading a line"),
            'it asked for input: "Overwrite best model? [y/N]"',
            "option of the script",
        ),
        ("Overwrite? [y/N]: Aborted!\nAborted!\n", 'it asked for input: "Overwrite? [y/N]:"', "option of the script"),
        (
            "wandb: Enter your choice: Aborted!\nAborted!\n",
            'it asked for input: "wandb: Enter your choice:"',
            "WANDB_MODE=offline",
        ),
        ("Aborted!\n", "it asked for input", "option of the script"),
    ],
)
def test_the_question_is_quoted(log: str, summary: str, advice: str) -> None:
    cause = cause_of(log)
    assert (cause.kind, cause.summary) == ("input_required", summary)
    assert advice in (cause.advice or "")
    assert ("WANDB" in (cause.advice or "")) == ("wandb" in log)
