"""Ends of trainings as people paste them in issues: what ended the process, and what helps."""

from __future__ import annotations

import pytest

from tests.domain.causes.failures import cause_of, raised

NCCL_TIMEOUT = "[E ProcessGroupNCCL.cpp:457] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=12)"
TORCHRUN_REPORT = """\
ERROR:torch.distributed.elastic.multiprocessing.api:failed (exitcode: -6) local_rank: 3 (pid: 882) of binary: python
Traceback (most recent call last):
  File "/env/bin/torchrun", line 33, in <module>
    sys.exit(main())
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
=====================================================
train.py FAILED
-----------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2031-05-07_16:30:00
  rank      : 3 (local_rank: 3)
  exitcode  : -6 (pid: 882)
  error_file: <N/A>
  traceback : Signal 6 (SIGABRT) received by PID 882
=====================================================
"""


@pytest.mark.parametrize("frames", [0, 60])
def test_a_timeout_of_nccl_counts_also_behind_its_stack_and_the_report_of_the_launcher(frames: int) -> None:
    stack = "".join(f"frame #{number}: c10d::watchdog() + 0x1\n" for number in range(frames))
    log = f"step 10 loss 0.5\n{NCCL_TIMEOUT}\n{stack}terminate called after throwing an instance\n{TORCHRUN_REPORT}"
    cause = cause_of(log)
    assert cause.kind == "killed_by_signal"
    assert cause.evidence == NCCL_TIMEOUT
    assert "another rank hung" in (cause.advice or "")


def test_the_message_of_an_abort_counts_more_than_the_report_of_the_launcher() -> None:
    cause = cause_of(f"terminate called after throwing an instance of 'c10::Error'\n{TORCHRUN_REPORT}")
    assert cause.evidence == "terminate called after throwing an instance of 'c10::Error'"
    assert cause_of(TORCHRUN_REPORT).evidence == "traceback : Signal 6 (SIGABRT) received by PID 882"


def test_a_crash_whose_place_was_printed_says_where_to_look() -> None:
    log = 'Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n  File "/w/a.py"\n'
    assert "the lines after" in (cause_of(log, exit_code=None, signal="SIGSEGV").advice or "")
    assert "PYTHONFAULTHANDLER=1" in (cause_of("", exit_code=None, signal="SIGSEGV").advice or "")


@pytest.mark.parametrize(
    ("log", "facts"),
    [
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=12.0. Some of the step tasks", {"exit_code": 137}),
        ("slurmstepd: error: Detected 2 oom-kill event(s) in StepId=12.batch cgroup.", {"exit_code": 1}),
        ("srun: error: node1: task 0: Out Of Memory", {"exit_code": None, "signal": "SIGKILL"}),
    ],
)
def test_a_kill_at_the_memory_limit_of_a_slurm_job_is_known_by_its_report(log: str, facts: dict[str, object]) -> None:
    cause = cause_of(f"step 10 loss 0.5\n{log}\n", **facts)
    assert (cause.kind, cause.retryable) == ("host_oom", True)
    assert "--mem" in (cause.advice or "")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("PIL.UnidentifiedImageError: cannot identify image file 'data/12.jpg'", "damaged"),
        ("OSError: image file is truncated (12 bytes not processed)", "damaged"),
        ("pyarrow.lib.ArrowInvalid: Parquet magic bytes not found in footer.", "damaged"),
        ("gzip.BadGzipFile: Not a gzipped file (b'<h')", "damaged"),
        ("RuntimeError: Numpy is not available", "another NumPy"),
        ("ValueError: numpy.dtype size changed, may indicate binary incompatibility.", "another NumPy"),
        ("AttributeError: module 'numpy' has no attribute 'float'.", "an older NumPy"),
        ("RuntimeError: Error building extension 'fused_adam': [1/2] nvcc -c x.cu", "nvcc must be found"),
    ],
)
def test_an_error_that_the_code_cannot_repair_has_advice_of_its_own(error: str, advice: str) -> None:
    cause = cause_of(raised(error))
    assert (cause.kind, cause.retryable) == ("python_error", False)
    assert advice in (cause.advice or "")


def test_a_library_that_finds_too_little_memory_on_the_gpu_may_be_tried_again() -> None:
    cause = cause_of(raised("XlaRuntimeError: FAILED_PRECONDITION: DNN library initialization failed."))
    assert cause.retryable
    assert "free GPU memory" in (cause.advice or "")
