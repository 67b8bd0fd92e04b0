"""Programs that cannot be started: interpreters that are missing, Windows line endings, permissions."""

from __future__ import annotations

import pytest

from backprop_tui.domain.causes.interpreters import cause_of_failed_start
from tests.domain.causes.failures import cause_of

MISSING = "No such file or directory"


@pytest.mark.parametrize(
    ("problem", "first_line", "kind", "summary", "advice"),
    [
        (
            MISSING,
            b"#!/bin/bash\r",
            "bad_interpreter",
            r"Windows line endings: its first line names '/bin/bash\r'",
            "sed -i",
        ),
        (MISSING, b"#!/usr/bin/env -S python3\r", "bad_interpreter", "Windows line endings", r"'s/\r$//' /w/run.sh"),
        (
            MISSING,
            b"#! /opt/gone/bin/python -u",
            "bad_interpreter",
            "/opt/gone/bin/python does not exist",
            "first line",
        ),
        (MISSING, b"\x7fELF\x02", "bad_interpreter", "loader", "another system"),
        (MISSING, None, "file_not_found", "cannot start /w/run.sh: No such file", "exists"),
        ("Exec format error", b"\x9f\x00\x12", "bad_interpreter", "neither a script nor a program", "as a whole"),
        ("Exec format error", b"echo hi", "bad_interpreter", "names no interpreter", "#!/bin/bash"),
        (
            "Exec format error",
            b"\x7fELF\x02",
            "bad_interpreter",
            "damaged or built for another kind",
            "for this machine",
        ),
        ("Permission denied", b"#!/bin/bash", "not_executable", "Permission denied", "chmod +x /w/run.sh"),
    ],
)
def test_a_failed_start_names_what_is_missing(
    problem: str, first_line: bytes | None, kind: str, summary: str, advice: str
) -> None:
    cause = cause_of_failed_start("/w/run.sh", problem, not_found=problem == MISSING, first_line=first_line)
    assert (cause.kind, cause.retryable) == (kind, False)
    assert summary in (cause.summary or "")
    assert advice in (cause.advice or "")
    assert cause.evidence == f"cannot start /w/run.sh: {problem}"


def test_a_failed_start_for_lack_of_processes_is_retryable() -> None:
    cause = cause_of_failed_start("x", "Resource temporarily unavailable", not_found=False, first_line=None)
    assert (cause.kind, cause.retryable) == ("unknown", True)


@pytest.mark.parametrize(
    ("log", "exit_code", "first_line", "word"),
    [
        ("run.sh: line 2: $'\\r': command not found\n", 127, None, "Windows line endings"),
        ("run.sh: line 2: set: -\r: invalid option\nset: usage: set [-abefh]\n", 2, b"#!/bin/bash\r", "Windows"),
        ("run.sh: 2: set: Illegal option -\r\n", 2, b"#!/bin/bash\r", "Windows line endings"),
        ("job.sh: line 5: syntax error: unexpected end of file\n", 2, b"echo hi\r", "job.sh has Windows line endings"),
        ("/usr/bin/env: ‘bash\\r’: No such file or directory\n", 127, None, "Windows line endings"),
        ("bash: ./run.sh: /bin/bash^M: bad interpreter: No such file or directory\n", 126, None, "Windows"),
        ("/usr/bin/env: ‘python’: No such file or directory\n", 127, None, "interpreter python was not found"),
        ("bash: ./tool: /opt/gone/python: bad interpreter: No such file or directory\n", 126, None, "/opt/gone/python"),
        ("bash: line 1: ./tool: cannot execute: required file not found\n", 127, b"#!/opt/gone/python", "/opt/gone"),
        ("sh: 1: ./tool: not found\n", 127, b"#!/opt/gone/python", "/opt/gone/python does not exist"),
    ],
)
def test_messages_of_shells_are_recognised(log: str, exit_code: int, first_line: bytes | None, word: str) -> None:
    cause = cause_of(log, exit_code=exit_code, command=("bash", "run.sh"), first_line=lambda _path: first_line)
    assert (cause.kind, cause.retryable) == ("bad_interpreter", False)
    assert word in (cause.summary or "")
    assert cause.line == 1


def test_a_program_that_is_missing_is_still_a_missing_file() -> None:
    assert cause_of("sh: 1: ./gone.sh: not found\n", exit_code=127).kind == "file_not_found"
    assert cause_of("job.sh: line 3: torchrum: command not found\n", exit_code=127).kind == "file_not_found"


def test_the_script_with_windows_line_endings_is_named() -> None:
    log = "/usr/bin/env: ‘python3\\r’: No such file or directory\n"
    first_line = {"./tool": b"#!/usr/bin/env python3\r"}.get
    cause = cause_of(log, exit_code=127, command=("./tool", "--lr", "3"), first_line=first_line)
    assert cause.summary == "./tool has Windows line endings"
