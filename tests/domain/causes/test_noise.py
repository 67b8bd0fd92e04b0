"""What ends nothing: destructors, atexit callbacks, loggers, threads, launchers' reports, errors that were handled."""

from __future__ import annotations

import pytest

from tests.domain.causes.failures import cause_of, raised

DOG = raised("KeyError: 'dog'")
DESTRUCTOR = "Exception ignored in: <function _MultiProcessingDataLoaderIter.__del__ at 0x7f2b>\n" + raised(
    "AssertionError: can only test a child process", path="/env/lib/python3.11/site-packages/torch/x.py"
)
IMPORTS = "Exception ignored in: <function Writer.__del__ at 0x7f>\n" + raised(
    "ImportError: sys.meta_path is None, Python is likely shutting down"
)
ATEXIT = "Exception ignored in atexit callback: <function finish at 0x7f>\n" + raised("BrokenPipeError: [Errno 32]")
OLD_ATEXIT = "Error in atexit._run_exitfuncs:\n" + raised("FileNotFoundError: [Errno 2] No such file: '/tmp/pymp'")
LOGGING = (
    "--- Logging error ---\n"
    + raised("ValueError: I/O operation on closed file.", path="/usr/lib/python3.11/logging/__init__.py")
    + 'Call stack:\n  File "/w/train.py", line 9, in <module>\n    main()\n'
    "Message: 'saved %s'\nArguments: ('a.pt',)\n"
)
HOOK = "Error in sys.excepthook:\n" + raised("NameError: name 'rich' is not defined") + "\nOriginal exception was:\n"
THREAD = "Exception in thread Thread-3 (_pin_memory_loop):\n" + raised("ConnectionResetError: [Errno 104] reset")
TASK = (
    "Task exception was never retrieved\n"
    "future: <Task finished name='Task-1' coro=<f() done> exception=RuntimeError('late')>\n"
    + raised("RuntimeError: late")
)
TRACKER = (
    "/usr/lib/python3.11/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 3"
    " leaked semaphore objects to clean up at shutdown\n  warnings.warn('resource_tracker: ...')\n"
)
GROUP_WARNING = (
    "[rank0]:[W1126 07:20:34.1 ProcessGroupNCCL.cpp:1496] Warning: WARNING: destroy_process_group() was not called"
    " before program exit, which can leak resources. (function operator())\n"
)
WANDB = (
    "wandb: \nwandb: Run summary:\nwandb:   epoch 3\nwandb:    loss 0.25\nwandb:    step 900\n"
    'wandb: ERROR Error uploading "a.pt": CommError, Connection refused\nwandb: Find logs at: ./wandb/run-1/logs\n'
)


@pytest.mark.parametrize(
    ("log", "facts"),
    [
        (DOG + DESTRUCTOR, {}),
        (DESTRUCTOR + DOG, {}),
        (DOG + IMPORTS, {}),
        (DOG + "\n" + DESTRUCTOR + IMPORTS + ATEXIT, {}),
        (DOG + OLD_ATEXIT, {}),
        (LOGGING + DOG, {}),
        (DOG + LOGGING, {}),
        (HOOK + DOG, {}),
        (DOG + THREAD, {}),
        (THREAD + DOG, {}),
        (TASK + DOG, {}),
        (DOG + TASK, {}),
        (DOG + TRACKER, {}),
        (DOG + GROUP_WARNING, {}),
        (DOG + WANDB, {}),
        (DOG + "terminate called without an active exception\n", {"exit_code": None, "signal": "SIGABRT"}),
        (DOG + "terminate called without an active exception\n", {"exit_code": 134}),
        (DOG + "Fatal Python error: _enter_buffered_busy: could not acquire lock at interpreter shutdown\n", {}),
        (DOG, {"exit_code": None, "signal": "SIGSEGV"}),
        (
            "Error executing job with overrides: ['lr=1']\n"
            + DOG
            + "\nSet the environment variable HYDRA_FULL_ERROR=1\n",
            {},
        ),
    ],
)
def test_the_exception_that_ended_the_process_is_the_cause(log: str, facts: dict[str, object]) -> None:
    cause = cause_of("epoch 1\n" + log, **facts)
    assert (cause.kind, cause.summary, cause.evidence) == ("python_error", "KeyError: 'dog'", "KeyError: 'dog'")
    assert cause.advice == "fix /w/train.py line 3, then resume"
    assert cause.line is not None
    assert ("epoch 1\n" + log).splitlines()[cause.line - 1] == "KeyError: 'dog'"


def test_ignored_exceptions_are_no_cause() -> None:
    for noise in (DESTRUCTOR, IMPORTS, ATEXIT, LOGGING, TASK):
        cause = cause_of(f"step 1\nno data left\n{noise}", exit_code=3)
        assert (cause.kind, (cause.summary or "")[:11]) == ("unknown", "exit code 3"), noise


def test_an_exception_in_a_thread_counts_only_if_nothing_else_explains_the_end() -> None:
    assert cause_of(THREAD).kind == "network"
    report = raised("RuntimeError: Pin memory thread exited unexpectedly")
    assert "ConnectionResetError" in (cause_of(THREAD + report).summary or "")


@pytest.mark.parametrize("error", ["torch.OutOfMemoryError: CUDA out of memory.", "OSError: [Errno 28] No space left"])
def test_an_error_that_the_training_survived_is_no_cause(error: str) -> None:
    went_on = "".join(f"step {n} loss 0.5\n" for n in range(4))
    assert cause_of("ERROR trainer: retrying\n" + raised(error) + went_on, exit_code=3).kind == "unknown"
    assert cause_of(f"skipped a batch: {error}\n{went_on}", exit_code=3).kind == "unknown"
    assert cause_of(raised(error) + went_on + DOG).summary == "KeyError: 'dog'"


def test_lines_after_a_message_do_not_belong_to_it() -> None:
    log = raised("ValueError: bad") + "2026-11-29 10:00:00 WARNING retry: Connection refused\nstep 3 nan\n"
    cause = cause_of(log)
    assert (cause.kind, cause.evidence) == ("python_error", "ValueError: bad")


CALLED = (
    'Traceback (most recent call last):\n  File "/env/bin/accelerate", line 8, in <module>\n    sys.exit(main())\n'
    '  File "/env/lib/python3.11/site-packages/accelerate/commands/launch.py", line 785, in simple_launcher\n'
    "    raise subprocess.CalledProcessError(returncode=process.returncode, cmd=cmd)\n"
    "subprocess.CalledProcessError: Command '['/env/bin/python', 'train.py']' {status}.\n"
)


def test_a_launchers_traceback_is_never_the_cause() -> None:
    failed = CALLED.format(status="returned non-zero exit status 1")
    assert cause_of(DOG + failed).summary == "KeyError: 'dog'"
    silent = cause_of("no data left\n" + failed)
    assert (silent.kind, silent.summary, silent.evidence) == (
        "unknown",
        "exit code 1, last line: no data left",
        "no data left",
    )
    killed = cause_of("step 1\n" + CALLED.format(status="died with <Signals.SIGKILL: 9>"))
    assert (killed.kind, killed.retryable) == ("killed_by_signal", True)
    usage = "usage: train.py [-h]\ntrain.py: error: unrecognized arguments: --foo\n"
    rejected = cause_of(usage + CALLED.format(status="returned non-zero exit status 2"))
    assert rejected.summary == "wrong arguments: unrecognized arguments: --foo"


def test_a_launchers_report_on_a_script_that_exited_is_no_evidence() -> None:
    log = (
        "no data left\nE1129 21:26:00.1 77 torch/distributed/elastic/multiprocessing/api.py:984] failed (exitcode: 3)\n"
        + raised("torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ")
        + "==========\ntrain.py FAILED\n----------\nFailures:\n  <NO_OTHER_FAILURES>\n----------\n"
        "Root Cause (first observed failure):\n[0]:\n  rank      : 0 (local_rank: 0)\n  exitcode  : 3 (pid: 9)\n"
        "  error_file: <N/A>\n==========\n"
    )
    cause = cause_of(log)
    assert (cause.kind, cause.summary, cause.evidence) == (
        "unknown",
        "exit code 3, last line: no data left",
        "no data left",
    )


def test_the_exception_of_a_loaders_worker_comes_before_the_report_of_its_end() -> None:
    report = "RuntimeError: DataLoader worker (pid 7) exited unexpectedly with exit code 1. Details are lost"
    cause = cause_of(raised("RuntimeError: \n        An attempt has been made to start a new process") + raised(report))
    assert "An attempt has been made" in (cause.summary or "")


def test_torchruns_own_failure_is_a_cause_but_its_program_is_not_the_users_code() -> None:
    log = (
        'Traceback (most recent call last):\n  File "/env/bin/torchrun", line 8, in <module>\n    sys.exit(main())\n'
        '  File "/env/lib/python3.11/site-packages/torch/distributed/run.py", line 936, in main\n    run(args)\n'
        "ValueError: Unsupported nproc_per_node value: many\n"
    )
    cause = cause_of(log)
    assert (cause.kind, cause.advice) == ("python_error", "fix the script, then resume")


def test_the_traceback_in_torchruns_report_is_read() -> None:
    log = raised("torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ") + (
        "=====\ntrain.py FAILED\n-----\nRoot Cause (first observed failure):\n[0]:\n  time      : 2026-11-20_14:31:22\n"
        "  rank      : 1 (local_rank: 1)\n  exitcode  : 1 (pid: 4711)\n  error_file: /tmp/t/error.json\n"
        '  traceback : Traceback (most recent call last):\n    File "/w/train.py", line 30, in main\n      fit()\n'
        "  ValueError: bad shard\n  \n=====\n"
    )
    cause = cause_of(log)
    assert (cause.summary, cause.advice) == ("ValueError: bad shard", "fix /w/train.py line 30, then resume")


RICH = (
    "╭───────────────────── Traceback (most recent call last) ──────────────────────╮\n"
    "│ /w/train.py:12 in main                                                       │\n"
    "│                                                                              │\n"
    "│   11 │   x = load()                                                          │\n"
    "│ ❱ 12 │   raise ValueError('bad')                                             │\n"
    "│ /env/lib/python3.11/site-packages/torch/nn/modules/module.py:1518 in __call__ │\n"
    "╰──────────────────────────────────────────────────────────────────────────────╯\n"
    "ValueError: bad\n"
)
IPYTHON = (
    "---------------------------------------------------------------------------\n"
    "ValueError                                Traceback (most recent call last)\n"
    "Cell In[3], line 1\n----> 1 f()\n\nFile /w/train.py:12, in f()\n"
    "     11 def f():\n---> 12     raise ValueError('bad')\n\nValueError: bad\n"
)
GROUP = (
    "  + Exception Group Traceback (most recent call last):\n"
    '  |   File "/w/train.py", line 30, in <module>\n  |     run()\n'
    "  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)\n"
    "  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n"
    '    |   File "/w/train.py", line 12, in f\n    |     f()\n    | ValueError: bad\n'
    "    +---------------- 2 ----------------\n    | Traceback (most recent call last):\n"
    '    |   File "/w/train.py", line 14, in g\n    |     g()\n    | KeyError: 2\n'
    "    +------------------------------------\n"
)


SINGLE = GROUP.partition("    +---------------- 2")[0] + "    +------------------------------------\n"


@pytest.mark.parametrize("log", [RICH, IPYTHON, GROUP, SINGLE])
def test_every_form_of_a_traceback_names_the_line(log: str) -> None:
    cause = cause_of("epoch 1\n" + log)
    assert (cause.kind, cause.summary, cause.evidence) == ("python_error", "ValueError: bad", "ValueError: bad")
    assert cause.advice == "fix /w/train.py line 12, then resume"


def test_a_whole_message_is_kept() -> None:
    spawn = (
        "RuntimeError: \n        An attempt has been made to start a new process before the\n"
        "        current process has finished its bootstrapping phase.\n\n        This probably means\n"
    )
    cause = cause_of(raised(spawn))
    assert cause.summary == (
        "RuntimeError: An attempt has been made to start a new process before the current process has finished its"
        " bootstrapping phase."
    )
    assert (cause.evidence or "").endswith("This probably means")
    assert not cause.retryable
    assert "__main__" in (cause.advice or "")
    listed = cause_of(raised("ValueError: these options do not fit together:\n  --lr 1\n  --no-lr\n"))
    assert listed.summary == "ValueError: these options do not fit together: --lr 1 --no-lr"
    several = cause_of(raised("RuntimeError: shapes differ\nweight: (3, 4)\nbias: (4)"))
    assert several.summary == "RuntimeError: shapes differ"
    assert several.evidence == "RuntimeError: shapes differ weight: (3, 4) bias: (4)"


DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"


@pytest.mark.parametrize(
    "handled",
    [
        "ModuleNotFoundError: No module named 'apex'",
        "ConnectionError: [Errno 111] Connection refused",
        "FileNotFoundError: [Errno 2] No such file or directory: 'last.pt'",
        "OSError: [Errno 98] Address already in use",
        "SyntaxError: invalid syntax",
    ],
)
def test_an_exception_that_had_been_handled_is_named_but_not_the_cause(handled: str) -> None:
    cause = cause_of(raised(handled, line=2) + DURING + DOG)
    assert (cause.kind, cause.summary) == ("python_error", f"KeyError: 'dog' ({handled})")
    assert (cause.evidence, cause.advice) == ("KeyError: 'dog'", "fix /w/train.py line 3, then resume")


def test_the_second_of_two_imports_is_missing() -> None:
    log = raised("ModuleNotFoundError: No module named 'apex'") + DURING
    cause = cause_of(log + raised("ModuleNotFoundError: No module named 'timm'"))
    assert (cause.kind, cause.summary) == ("import_error", "no module timm in /w/.venv/bin/python")


LOGURU = (
    "2026-11-29 10:00:00.1 | ERROR    | __main__:<module>:20 - it failed\nTraceback (most recent call last):\n\n"
    '  File "/w/train.py", line 20, in <module>\n    main()\n    └ <function main at 0x7f>\n\n'
    '> File "/w/train.py", line 12, in main\n    fit(x)\n    │   └ 3\n    └ <function fit>\n\nValueError: bad\n'
)
JAX = raised("ValueError: bad", line=12) + (
    "--------------------\nFor simplicity, JAX has removed its internal frames from the traceback of the following"
    " exception. Set JAX_TRACEBACK_FILTERING=off to include these.\n"
)


@pytest.mark.parametrize("log", [LOGURU, JAX])
def test_output_of_libraries_is_not_part_of_a_message(log: str) -> None:
    cause = cause_of(log)
    assert (cause.summary, cause.evidence) == ("ValueError: bad", "ValueError: bad")
    assert cause.advice == "fix /w/train.py line 12, then resume"


@pytest.mark.parametrize(
    "line", ["Could not override 'model.lr'.", "Error parsing override 'lr = 1'", "ERROR: Could not consume arg: --foo"]
)
def test_arguments_that_a_configuration_rejects(line: str) -> None:
    cause = cause_of(f"{line}\nKey 'lr' is not in struct\n")
    assert (cause.summary, cause.retryable) == (f"wrong arguments: {line}", False)
