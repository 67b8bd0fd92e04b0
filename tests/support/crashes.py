"""Makes a process kill itself at a named place of the product: before or after a function, once.

Places are named `module:function` or `module:Class.function`, our own modules without the package's name. The process
is chosen by its name, because supervisor, fork server, guardian and script are forks of each other.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

VARIABLE = "CRASHES"
real_open, real_close = os.open, os.close  # that of `os` may be one that fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A process called `name` (None: any) dies `before` or after the function.

    `returning`: only if the function returned a true, or a false, value. `status`: only if an argument is a run of that
    status, or a list with one. `times`: at which call. `hangs`: it hangs forever instead, as on a dead file system.
    `error`: each call fails with this errno instead; with `failures` only so many in all, after `times` in a process.
    """

    at: str
    before: bool
    name: str | None = None
    returning: bool | None = None
    status: str | None = None
    times: int = 1
    hangs: bool = False
    error: int | None = None
    failures: int | None = None


SUPERVISOR, FORKER, GUARDIAN = "backprop-superv", "backprop-forker", "backprop-run"


def before(at: str, name: str | None = None, *, status: str | None = None, times: int = 1) -> Crash:
    """Dies before the function does anything."""
    return Crash(at=at, before=True, name=name, status=status, times=times)


def after(
    at: str, name: str | None = None, *, returning: bool | None = None, status: str | None = None, times: int = 1
) -> Crash:
    """Dies when the function has done its work."""
    return Crash(at=at, before=False, name=name, returning=returning, status=status, times=times)


def hanging(at: str, name: str | None = None) -> Crash:
    """Calls of the function never return."""
    return Crash(at=at, before=True, name=name, hangs=True)


def failing(at: str, error: int, name: str | None = None) -> Crash:
    """Every call of the function fails with this errno."""
    return Crash(at=at, before=True, name=name, error=error)


def in_environment(crashes: tuple[Crash, ...], latches: str, *, old_kernel: bool = False) -> str:
    """The variable for `install_from_environment`; `latches` is a directory that records which crashes happened.

    `old_kernel`: behave as before Linux 6.15, where only the parent gets the exit status of a process.
    """
    asked = {"crashes": [asdict(crash) for crash in crashes], "latches": latches, "old_kernel": old_kernel}
    return json.dumps(asked)


def install_from_environment() -> None:
    """Replaces the functions; must be called before the product runs."""
    asked = json.loads(os.environ[VARIABLE])
    for number, crash in enumerate(asked["crashes"]):
        _install(Crash(**crash), os.path.join(asked["latches"], str(number)))
    if asked["old_kernel"]:
        identity = importlib.import_module("backprop_tui.processes.identity")
        identity.exit_status_of_nonchild = lambda pidfd: None  # type: ignore[attr-defined]


def _install(crash: Crash, latch: str) -> None:
    module_name, _, path = crash.at.partition(":")
    is_ours = module_name not in sys.stdlib_module_names
    owner: Any = importlib.import_module(f"backprop_tui.{module_name}" if is_ours else module_name)
    *names, last = path.split(".")
    for name in names:
        owner = getattr(owner, name)
    setattr(owner, last, _dying(crash, latch, getattr(owner, last)))


def _dying(crash: Crash, latch: str, original: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    def called(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        concerned = _concerns(crash, arguments)
        calls += concerned
        if concerned and crash.error is not None:
            if crash.failures is not None and (calls < crash.times or _size(latch) >= crash.failures):
                return original(*arguments, **options)
            file = real_open(latch, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(file, b"!")
            real_close(file)
            raise OSError(crash.error, os.strerror(crash.error))
        if crash.before and concerned and calls == crash.times:
            _die(latch, hangs=crash.hangs)
        result = original(*arguments, **options)
        if not crash.before and concerned and calls == crash.times and crash.returning in (None, bool(result)):
            _die(latch, hangs=crash.hangs)
        return result

    return called


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _concerns(crash: Crash, arguments: tuple[Any, ...]) -> bool:
    with open("/proc/self/comm", encoding="ascii") as file:
        name = file.read().strip()
    values = [value for item in arguments for value in (item if isinstance(item, list) else [item])]
    statuses = {getattr(value, "status", None) for value in values}
    return crash.name in (None, name) and (crash.status is None or crash.status in statuses)


def _die(latch: str, *, hangs: bool) -> None:
    try:
        os.close(os.open(latch, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    while hangs:
        time.sleep(3600)
    sys.stderr.write(f"{os.getpid()} dies as was asked\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
