"""Leaves processes behind: in a session of its own, as a daemon, ignoring SIGTERM, and without an environment.

Exits with 0 as soon as each has written a line into the ledger.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from ledger_line import write_line  # type: ignore[import-not-found]  # beside it, when it runs


def _in_a_session_of_its_own() -> None:
    os.setsid()


def _as_a_daemon() -> None:
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)


def _deaf() -> None:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _without_environment() -> None:
    """As setproctitle does it: the environment no longer names the run."""
    os.setsid()
    write_line("there")
    os.execve(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)"], {})


write_line("begin")
ways = (_in_a_session_of_its_own, _as_a_daemon, _deaf, _without_environment)
for way in ways:
    if os.fork() == 0:
        way()
        write_line("there")
        while True:
            time.sleep(60)
with open(os.environ["LEDGER"], encoding="utf-8") as ledger:
    lines = ""
    while lines.count(" there\n") < len(ways):
        lines += ledger.read()
        time.sleep(0.005)
