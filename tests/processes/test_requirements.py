"""Limits and system calls without which nothing works are named before anything is queued."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from typing import NoReturn

import pytest

from backprop_tui.processes import requirements
from backprop_tui.processes.requirements import attainable, raise_own_limits, unattainable, unmet_requirement

INFINITY = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[int, int]]:
    """The limits of this process, as an ordinary user's, set by the test; the others are infinite."""
    known: dict[int, tuple[int, int]] = {}

    def setrlimit(number: int, limit: tuple[int, int]) -> None:
        known[number] = limit

    monkeypatch.setattr(resource, "getrlimit", lambda number: known.get(number, (INFINITY, INFINITY)))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return known


def refuse(code: int) -> Callable[..., NoReturn]:
    def call(*_arguments: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize(
    ("name", "limit", "unmet"),
    [
        ("RLIMIT_NOFILE", 10, ("the limit of 10 open files is too low", "raise it first: ulimit -n 32")),
        ("RLIMIT_FSIZE", 0, ("the limit of 0 KB in a file is too low", "raise it first: ulimit -f 1024")),
        ("RLIMIT_AS", 20 << 20, ("the limit of 20480 KB of memory is too low", "raise it first: ulimit -v 131072")),
        ("RLIMIT_NPROC", 12, ("the limit of 12 processes is too low: 7 exist", "raise it first: ulimit -u 71")),
        ("RLIMIT_NPROC", 4000, None),
        ("RLIMIT_NOFILE", 64, None),
    ],
)
def test_a_limit_that_is_too_low_is_named(
    limits: dict[int, tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    limit: int,
    unmet: tuple[str, str] | None,
) -> None:
    monkeypatch.setattr(requirements, "_count_threads", lambda: 7)
    limits[getattr(resource, name)] = limit, INFINITY
    assert unmet_requirement() == unmet


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_a_kernel_without_pidfds_is_named(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(os, "pidfd_open", refuse(code))
    unmet = unmet_requirement()
    assert unmet is not None
    assert unmet[0] == "pidfd_open is refused"


def test_a_supervisor_raises_its_limits_as_far_as_it_may(limits: dict[int, tuple[int, int]]) -> None:
    limits[resource.RLIMIT_NOFILE] = 64, 4096
    raise_own_limits()
    assert limits[resource.RLIMIT_NOFILE] == (4096, 4096)


def test_a_run_gets_the_limits_of_its_shell_as_far_as_the_supervisor_may_set_them(
    limits: dict[int, tuple[int, int]],
) -> None:
    files = resource.RLIMIT_NOFILE
    limits[files] = 64, 1024
    assert attainable(files, 32, 512) == (32, 512)
    assert attainable(files, 256, INFINITY) == (256, 1024)
    assert attainable(files, 4096, 8192) == (1024, 1024)
    assert unattainable((("RLIMIT_NOFILE", 256, INFINITY), ("RLIMIT_CORE", 0, INFINITY))) is None
    assert unattainable((("RLIMIT_NOFILE", 4096, 8192),)) == "RLIMIT_NOFILE is 1024 instead of 4096"
