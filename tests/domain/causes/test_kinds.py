"""Kinds of causes, by real output of frameworks, libraries and shells."""

from __future__ import annotations

import pytest

from backprop_tui.domain.causes.clues import FileSystem, GpuHolder
from tests.domain.causes.failures import cause_of, raised

TORCH_NEW = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.25 GiB"
    " of which 1.12 GiB is free. Including non-PyTorch memory, this process has 77.00 GiB memory in use. Of the"
    " allocated memory 75.10 GiB is allocated by PyTorch, and 512.00 MiB is reserved by PyTorch but unallocated."
)
TORCH_SHARED = TORCH_NEW.replace("Including non", "Process 40412 has 60.31 GiB memory in use. Including non")
TORCH_FRAGMENTED = TORCH_NEW.replace("512.00 MiB is reserved", "6.00 GiB is reserved")
TORCH_OLD = (
    "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 1; 10.76 GiB total capacity; 9.58 GiB already"
    " allocated; 12.44 MiB free; 9.75 GiB reserved in total by PyTorch)"
)
TORCH_CPU = (
    "RuntimeError: [enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory:"
    " you tried to allocate 4294967296 bytes. Error code 12 (Cannot allocate memory)"
)
BUS_ERROR = (
    "RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's"
    " workers are out of shared memory. Please try to raise your shared memory limit."
)
XLA = (
    "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8589934592 bytes."
)
TENSORFLOW = (
    "tensorflow.python.framework.errors_impl.ResourceExhaustedError: Graph execution error:\n\n"
    "OOM when allocating tensor with shape[4096,4096,512] and type float on"
    " /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc"
)


@pytest.mark.parametrize(
    ("error", "kind", "summary"),
    [
        (TORCH_NEW, "cuda_oom", "CUDA out of memory: requested 2.50 GiB, 1.12 GiB free on GPU 0 (79.25 GiB)"),
        (TORCH_OLD, "cuda_oom", "CUDA out of memory: requested 20.00 MiB, 12.44 MiB free on GPU 1 (10.76 GiB)"),
        (TENSORFLOW, "cuda_oom", "CUDA out of memory"),
        ("RuntimeError: CUDA error: out of memory\nCUDA kernel errors might be", "cuda_oom", "CUDA out of memory"),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling", "cuda_oom", "CUDA out of memory"),
        ("RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "cuda_oom", "CUDA out of memory"),
        ("MemoryError", "host_oom", "out of host memory"),
        (
            "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 37.3 GiB for an array with shape (5,)",
            "host_oom",
            "out of host memory: requested 37.3 GiB",
        ),
        (
            TORCH_CPU,
            "host_oom",
            "out of host memory: requested 4.00 GiB",
        ),
        (XLA, "host_oom", "out of host memory: requested 8.00 GiB"),  # no GPU was handed over
        ("OSError: [Errno 12] Cannot allocate memory", "host_oom", "out of host memory"),
        ("OSError: [Errno 28] No space left on device", "disk_full", "disk full"),
        ("OSError: [Errno 122] Disk quota exceeded: 'out/a.pt'", "disk_full", "quota exceeded"),
        (
            BUS_ERROR,
            "disk_full",
            "/dev/shm is full",
        ),
        ("RuntimeError: unable to write to file </torch_12_345_0>: No space left on device (28)", "disk_full", None),
        ("ModuleNotFoundError: No module named 'torch'", "import_error", "no module torch in /w/.venv/bin/python"),
        (
            "ImportError: cannot import name 'Trainer' from 'transformers' (/w/transformers.py)",
            "import_error",
            "transformers has no Trainer",
        ),
        (
            "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory",
            "import_error",
            "shared library libcudart.so.12 not found",
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '/data/train.idx'",
            "file_not_found",
            "FileNotFoundError: /data/train.idx",
        ),
        ("RuntimeError: CUDA error: unspecified launch failure", "python_error", None),
        ("RuntimeError: CUDA error: uncorrectable ECC error encountered", "gpu_lost", None),
        ("RuntimeError: CUDA error: CUDA-capable device(s) is/are busy or unavailable", "gpu_lost", None),
        ("RuntimeError: Function 'LogSoftmaxBackward0' returned nan values in its 0th output.", "nan_loss", None),
        ("ValueError: The loss returned in `training_step` is nan.", "nan_loss", None),
        ("FloatingPointError: Minimum loss scale reached (0.0001). Your loss is probably exploding.", "nan_loss", None),
        ("RuntimeError: CUDA error: device-side assert triggered", "python_error", None),
        ("ValueError: bad shape", "python_error", "ValueError: bad shape"),
        ("my.pkg.Boom: x", "python_error", "Boom: x"),
        ("KeyError: 'lr'", "python_error", "KeyError: 'lr'"),
        ("AssertionError", "python_error", "AssertionError"),
        ("KeyboardInterrupt", "killed_by_signal", "interrupted by SIGINT"),
    ],
)
def test_exceptions_are_classified(error: str, kind: str, summary: str | None) -> None:
    cause = cause_of("epoch 1\n" + raised(error))
    assert cause.kind == kind, cause
    assert summary is None or cause.summary == summary
    assert cause.evidence
    assert cause.advice
    assert cause.line is not None
    assert cause.line >= 5


def test_the_evidence_is_the_log_line_with_its_number() -> None:
    cause = cause_of("epoch 1\n" + raised(TENSORFLOW))
    assert cause.line == 7
    assert cause.evidence is not None
    assert cause.evidence.startswith("OOM when allocating tensor")


def test_the_gpu_is_named_by_the_machines_index() -> None:
    cause = cause_of(raised(TORCH_NEW), gpu_indices=(3,))
    assert cause.summary is not None
    assert "on GPU 3" in cause.summary
    xla = cause_of(raised(XLA), gpu_indices=(0,))
    assert (xla.kind, xla.summary) == ("cuda_oom", "CUDA out of memory: requested 8.00 GiB")


def test_advice_on_gpu_memory_names_other_processes() -> None:
    alone = cause_of(raised(TORCH_NEW), command=("python3", "train.py", "--batch-size=24"))
    assert alone.advice is not None
    assert "halve --batch-size (24)" in alone.advice
    assert alone.advised == ("--batch-size", "24", "12")
    assert cause_of(raised(TORCH_NEW), command=("python3", "train.py", "--batch-size", "auto")).advised is None
    assert not alone.retryable
    shared = cause_of(raised(TORCH_SHARED))
    assert shared.advice is not None
    assert "pid 40412 held 60.31 GiB" in shared.advice
    assert shared.retryable
    holder = GpuHolder(gpu_index=0, who="run vit", memory_bytes=31_300_000_000)
    ours = cause_of(raised(TORCH_NEW), gpu_holders=(holder,))
    assert ours.advice is not None
    assert "run vit held 29.15 GiB" in ours.advice
    assert "expandable_segments" in (cause_of(raised(TORCH_FRAGMENTED)).advice or "")


def test_a_full_disk_is_named_with_its_free_space() -> None:
    asked: list[str] = []

    def there(path: str) -> FileSystem:
        asked.append(path)
        return FileSystem(mount="/data", free_bytes=4_200_000)

    cause = cause_of(raised("OSError: [Errno 28] No space left on device: 'out/a.pt'"), file_system=there)
    assert asked == ["/w/out/a.pt"]
    assert cause.summary == "disk full: /data, 4 MB free now"
    untold = raised("RuntimeError: [enforce fail at inline_container.cc:659] . unexpected pos 64 vs 0")
    assert cause_of(untold, file_system=there).kind == "disk_full"
    assert cause_of(untold).kind == "python_error"
    shm = raised("RuntimeError: unable to write to file </torch_1_2>: No space left on device (28)")
    assert cause_of(shm, file_system=there).summary == "/dev/shm is full: 4.01 MiB free"


def test_a_failed_import_comes_with_install_instructions() -> None:
    log = raised("ModuleNotFoundError: No module named 'cv2'")
    assert (cause_of(log).advice or "").startswith("/w/.venv/bin/python -m pip install opencv-python")
    assert (cause_of(log).advice or "").endswith(", or name another interpreter in the command line")
    with_origin = cause_of(log, python_origin="a .venv beside it").advice or ""
    assert with_origin.endswith(", or choose another interpreter with --python (used: a .venv beside it)")
    local = cause_of(raised("ModuleNotFoundError: No module named 'src'"), local_module=lambda _: "/w/lib")
    assert "PYTHONPATH=/w/lib" in (local.advice or "")
    module = cause_of("/usr/bin/python3: No module named trainer\n")
    assert (module.kind, module.summary) == ("import_error", "no module trainer in /w/.venv/bin/python")
    log = "python3: Error while finding module specification for 'a.b' (ModuleNotFoundError: No module named 'a')\n"
    assert cause_of(log).summary == "no module a in /w/.venv/bin/python"


@pytest.mark.parametrize(
    ("module", "word"),
    [
        ("sklearn", "pip install scikit-learn"),
        ("google.protobuf", "pip install protobuf"),
        ("pkg_resources", "pip install 'setuptools<81'"),
        ("transformers.models.new", "another version of transformers is needed, or a local file or directory hides it"),
        ("_bz2", "it belongs to Python itself, and this one was built without it"),
    ],
)
def test_what_provides_a_module(module: str, word: str) -> None:
    assert word in (cause_of(raised(f"ModuleNotFoundError: No module named '{module}'")).advice or "")


@pytest.mark.parametrize("module", ["backprop_tui", "backprop_report"])
def test_the_report_module_comes_with_the_command_that_copies_it(module: str) -> None:
    cause = cause_of(raised(f"ModuleNotFoundError: No module named '{module}'", path="/w/a b/train.py"))
    assert cause.advice == "backprop-tui report '/w/a b', then there: import backprop_report as report"


def test_a_relative_import_of_the_script_comes_with_the_line_that_starts_its_module() -> None:
    log = raised("ImportError: attempted relative import with no known parent package", code="from ..nets import x")
    asked: list[tuple[str, int]] = []

    def as_module(path: str, levels: int) -> str:
        asked.append((path, levels))
        return "run -- python3 -m a.b.train"

    cause = cause_of(log, as_module=as_module)
    assert asked == [("/w/train.py", 2)]
    assert (cause.kind, cause.advice) == ("import_error", "run -- python3 -m a.b.train")
    assert cause.summary == "train.py: attempted relative import with no known parent package"
    assert "python3 -m PACKAGE.MODULE" in (cause_of(log).advice or "")


@pytest.mark.parametrize(
    ("error", "variable"),
    [
        (
            "ValueError: Error initializing torch.distributed: environment variable RANK expected, but not set",
            "RANK",
        ),
        ("KeyError: 'LOCAL_RANK'", "LOCAL_RANK"),
    ],
)
def test_a_distributed_script_without_its_launcher_comes_with_the_line_to_type(error: str, variable: str) -> None:
    cause = cause_of(raised(error), command=("python3", "-u", "/w/train.py", "--lr", "3"), gpu_indices=(0, 1))
    assert cause.summary == f"{variable} is not set: the script expects to be started by torchrun"
    launcher = "/w/.venv/bin/python -m torch.distributed.run --standalone --nproc-per-node=2"
    assert cause.advice == f"backprop-tui run -- {launcher} /w/train.py --lr 3"
    module = cause_of(raised(error), command=("python3", "-m", "pkg.train"))
    assert (module.advice or "").endswith("--nproc-per-node=1 -m pkg.train")


def test_a_missing_file_names_the_expected_path() -> None:
    log = raised("FileNotFoundError: [Errno 2] No such file or directory: 'data/a.bin'")
    assert "/w/data/a.bin" in (cause_of(log).advice or "")
    script = cause_of("python3: can't open file '/w/trian.py': [Errno 2] No such file or directory\n", exit_code=2)
    assert (script.kind, script.summary) == ("file_not_found", "FileNotFoundError: /w/trian.py")
    assert "it was expected at /w/trian.py; --cwd" in (script.advice or "")
    shell = cause_of("job.sh: line 3: torchrum: command not found\n", exit_code=127)
    assert (shell.kind, shell.summary) == ("file_not_found", "command not found: torchrum")


def test_rejected_arguments_are_shown_and_never_retried() -> None:
    usage = "usage: train.py [-h] [--lr LR]\ntrain.py: error: unrecognized arguments: --foo 3\n"
    cause = cause_of(usage, exit_code=2)
    assert (cause.kind, cause.summary) == ("python_error", "wrong arguments: unrecognized arguments: --foo 3")
    assert not cause.retryable
    click = cause_of("Usage: t.py [OPTIONS]\nError: No such option: --foo\n", exit_code=2)
    assert click.summary == "wrong arguments: No such option: --foo"


def test_a_syntax_error_has_no_traceback_header() -> None:
    log = "  File \"/w/train.py\", line 7\n    x = (1,\n        ^\nSyntaxError: '(' was never closed\n"
    cause = cause_of(log)
    assert cause.summary == "SyntaxError: '(' was never closed in /w/train.py line 7"
    assert not cause.retryable


def test_a_script_that_ended_over_nan_is_recognised_by_its_last_lines_or_loss() -> None:
    cause = cause_of("step 9 loss 2.1\nLoss is nan, stopping training\n")
    assert (cause.kind, cause.evidence, cause.line) == ("nan_loss", "Loss is nan, stopping training", 2)
    known = "loss is nan at step 9"
    assert cause_of("step 9\n", nan_loss=known).summary == known
    checked = raised("AssertionError", code="assert torch.isfinite(loss)")
    assert cause_of(checked).kind == "nan_loss"
    assert cause_of(raised("AssertionError"), nan_loss=known).kind == "nan_loss"
    assert cause_of(raised("KeyError: 'x'"), nan_loss=known).kind == "python_error"
    assert cause_of(raised("RuntimeError: shape mismatch"), nan_loss=known).kind == "python_error"


def test_a_lost_gpu_explains_only_cuda_errors() -> None:
    trouble = "GPU 1 lost: Xid 79: fallen off the bus"
    cause = cause_of(raised("RuntimeError: CUDA error: unknown error"), gpu_trouble=trouble)
    assert (cause.kind, cause.summary) == ("gpu_lost", trouble)
    assert cause_of("", gpu_trouble=trouble, exit_code=None, signal="SIGABRT").kind == "gpu_lost"
    assert cause_of(raised("KeyError: 'x'"), gpu_trouble=trouble).kind == "python_error"


def test_a_bare_kill_is_a_signal_unless_there_is_evidence_of_memory() -> None:
    bare = cause_of("loss 0.1\nCUDA out of memory\n", signal="SIGKILL", exit_code=None)
    assert (bare.kind, bare.evidence) == ("killed_by_signal", "SIGKILL")
    assert "dmesg" in (bare.advice or "")
    counted = cause_of("loss 0.1\n", signal="SIGKILL", exit_code=None, memory_kills_counted=True)
    assert "counted no kill for memory" in (counted.advice or "")
    coded = cause_of("loss 0.1\n", exit_code=137)
    assert (coded.kind, coded.summary) == ("killed_by_signal", "killed by SIGKILL (exit code 137)")
    words = "/sys/fs/cgroup/a/memory.events: oom_kill went from 0 to 1"
    for facts in ({"signal": "SIGKILL", "exit_code": None}, {"exit_code": 137}, {"exit_code": 247}):
        cause = cause_of("loss 0.1\n", memory_kill=words, **facts)
        assert (cause.kind, cause.evidence) == ("host_oom", words)
    # Something else of the group was killed; the script itself was not.
    assert cause_of(raised("KeyError: 1"), memory_kill=words).kind == "python_error"


def test_a_killed_loader_worker_needs_the_same_evidence() -> None:
    log = raised("RuntimeError: DataLoader worker (pid 4711) is killed by signal: Killed. ")
    assert cause_of(log).kind == "killed_by_signal"
    assert cause_of(log, memory_kill="oom_kill went from 0 to 1").kind == "host_oom"


def test_an_exit_code_below_zero_is_a_signal_only_where_launchers_pass_one_on() -> None:
    assert cause_of("", exit_code=247).kind == "killed_by_signal"
    for code in (255, 254):  # sys.exit(-1), and -2
        assert cause_of("", exit_code=code).kind == "unknown"


def test_a_shell_names_the_child_that_was_killed() -> None:
    cause = cause_of("step 1\njob.sh: line 3: 4711 Killed                  python3 train.py\n", exit_code=137)
    assert (cause.kind, cause.line) == ("killed_by_signal", 2)


def test_a_watchdog_timeout_is_distinguished_from_a_crash() -> None:
    log = (
        "[rank0]:[E1126 ProcessGroupNCCL.cpp:616] [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(9)\n"
    )
    cause = cause_of(log, exit_code=None, signal="SIGABRT")
    assert cause.kind == "killed_by_signal"
    assert "long pause" in (cause.advice or "")


@pytest.mark.parametrize(
    ("name", "word"),
    [("SIGSEGV", "PYTHONFAULTHANDLER"), ("SIGILL", "another CPU"), ("SIGTERM", "outside"), ("SIGXCPU", "ulimit -t")],
)
def test_each_signal_has_its_advice(name: str, word: str) -> None:
    cause = cause_of("", signal=name, exit_code=None)
    assert (cause.kind, cause.evidence) == ("killed_by_signal", name)
    assert word in (cause.advice or "")


def test_a_bus_error_checks_shared_memory() -> None:
    full = FileSystem(mount="/dev/shm", free_bytes=3_000_000)
    cause = cause_of("", signal="SIGBUS", exit_code=None, file_system=lambda _: full)
    assert "/dev/shm has 2.86 MiB free" in (cause.advice or "")


def test_native_code_that_aborts_prints_its_reason_before_the_signal() -> None:
    log = "terminate called after throwing an instance of 'c10::Error'\n  what():  CUDA error: out of memory\n"
    assert cause_of(log, signal="SIGABRT", exit_code=None).kind == "cuda_oom"
    fatal = cause_of("Fatal Python error: Segmentation fault\n\nCurrent thread\n", signal="SIGSEGV", exit_code=None)
    assert (fatal.kind, fatal.evidence, fatal.line) == (
        "killed_by_signal",
        "Fatal Python error: Segmentation fault",
        1,
    )


def test_python_2_code_is_recognised() -> None:
    for error in (
        "SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)?",
        "SyntaxError: multiple exception types must be parenthesized",
        "NameError: name 'xrange' is not defined",
        "AttributeError: 'dict' object has no attribute 'iteritems'. Did you mean: 'items'?",
        "ModuleNotFoundError: No module named 'urllib2'",
    ):
        cause = cause_of(raised(error))
        assert (cause.kind, cause.retryable) == ("python_error", False), error
        assert (cause.summary or "").startswith(error)
        assert "this looks like Python 2 code" in (cause.advice or "")


def test_only_syntax_that_some_python_knows_may_need_a_newer_one() -> None:
    for error in ("SyntaxError: invalid syntax", "SyntaxError: f-string: expecting '}'"):
        assert "newer Python" in (cause_of(raised(error)).advice or "")
    for error in ("IndentationError: unexpected indent", "SyntaxError: '(' was never closed"):
        assert cause_of(raised(error)).advice == "fix the script, then resume"


def test_a_silent_failure_is_unknown_with_its_code_and_the_likeliest_line() -> None:
    silent = cause_of("", exit_code=7)
    assert (silent.kind, silent.evidence, silent.line) == ("unknown", "exit code 7", None)
    spoken = cause_of("step 9\nthe learning rate must be positive\n\n", exit_code=1)
    message = "the learning rate must be positive"
    assert (spoken.summary, spoken.evidence, spoken.line) == (f"exit code 1, last line: {message}", message, 2)
    working = cause_of("loading\nepoch 3 loss 0.25\n", exit_code=1)
    assert (working.summary, working.evidence) == ("exit code 1", "epoch 3 loss 0.25")
    reported = cause_of("a\nERROR: cannot reach the license server\nbye\n", exit_code=7)
    assert (reported.kind, reported.evidence, reported.line) == ("unknown", "ERROR: cannot reach the license server", 2)


def test_a_full_disk_explains_a_failure_without_a_message_and_no_other() -> None:
    full = "/store/runs/a/live.json: No space left on device"
    cause = cause_of("step 1 loss 0.5\nTraceback (most recent call last):\n", disk_full=full)
    assert (cause.kind, cause.evidence) == ("disk_full", full)
    assert cause_of(raised("ValueError: bad"), disk_full=full).kind == "python_error"
    assert cause_of("step 1 loss 0.5\n").kind == "unknown"
