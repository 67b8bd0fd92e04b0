"""Why a script ended badly."""

from __future__ import annotations

import pytest

from backprop_tui.domain.causes import cause_of_failure

TRACEBACK = ["Traceback (most recent call last):", '  File "train.py", line 3, in <module>']


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB.", "cuda_oom"),
        ("ModuleNotFoundError: No module named 'torch'", "import_error"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/x'", "file_not_found"),
        ("OSError: [Errno 28] No space left on device", "disk_full"),
        ("ValueError: bad shape", "python_error"),
    ],
)
def test_the_last_error_line_names_the_cause_and_is_its_evidence(line: str, kind: str) -> None:
    cause = cause_of_failure(exit_code=1, signal=None, last_lines=["epoch 1", *TRACEBACK, line, ""])
    assert (cause.kind, cause.evidence) == (kind, line)
    assert cause.advice


def test_a_signal_is_the_cause_whatever_the_log_says() -> None:
    cause = cause_of_failure(exit_code=None, signal="SIGKILL", last_lines=["CUDA out of memory"])
    assert (cause.kind, cause.evidence) == ("killed_by_signal", "SIGKILL")


def test_a_silent_failure_is_unknown_with_its_code() -> None:
    cause = cause_of_failure(exit_code=7, signal=None, last_lines=[])
    assert (cause.kind, cause.evidence) == ("unknown", "exit code 7")


def test_a_traceback_with_an_error_that_is_no_error_by_name_is_told_by_its_last_line() -> None:
    cause = cause_of_failure(exit_code=1, signal=None, last_lines=[*TRACEBACK, "my.Boom: x"])
    assert (cause.kind, cause.evidence) == ("python_error", "my.Boom: x")
