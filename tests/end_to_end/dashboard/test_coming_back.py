"""Somebody comes back: the digest opens by itself after a long absence in which something ended."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from backprop_tui.tui.digest.absence import LAST_SEEN_FILE, LastSeen
from tests.end_to_end.dashboard.conftest import Open
from tests.end_to_end.dashboard.scenes import leaves_a_clean_terminal
from tests.support.sandbox import Sandbox, python
from tests.support.waiting import wait_until

HOUR = 3600.0
FAILS = "raise FileNotFoundError('/data/train.idx')"


def looked(sandbox: Sandbox, *, ago: float) -> None:
    LastSeen(sandbox.home).note(time.time() - ago)


def looked_at(sandbox: Sandbox) -> float:
    return os.stat(sandbox.home.host_file(LAST_SEEN_FILE)).st_mtime


def test_after_an_hour_the_digest_tells_what_failed_and_enter_goes_there(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    run = sandbox.submit(*python(FAILS))
    run.wait_for_end()
    looked(sandbox, ago=HOUR)
    screen = open_dashboard()
    screen.wait_for("While you were away")
    screen.wait_for("Away 1 h")
    screen.wait_for("FileNotFoundError")
    screen.type("\r")
    screen.wait_until_gone("While you were away")
    screen.type("D")
    screen.wait_for("While you were away")
    screen.type("\x1b")
    screen.wait_until_gone("While you were away")
    screen.type("q")
    assert screen.wait_for_exit() == 0
    leaves_a_clean_terminal(screen)


def test_who_just_left_is_told_nothing(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = sandbox.submit(*python(FAILS))
    run.wait_for_end()
    looked(sandbox, ago=60)
    screen = open_dashboard()
    screen.wait_for(run.id)
    screen.type("D")
    screen.wait_for("The last day")  # by then it would have opened by itself


def test_the_look_is_remembered_by_one_that_was_killed(sandbox: Sandbox, open_dashboard: Open) -> None:
    looked(sandbox, ago=HOUR)
    began = time.time()
    screen = open_dashboard()
    screen.wait_for("Nothing here yet")
    wait_until(lambda: looked_at(sandbox) >= began - 1, "the look noted")
    screen.signal(signal.SIGKILL)
    screen.wait_for_exit()
    run = sandbox.submit(*python(FAILS))
    run.wait_for_end()
    second = open_dashboard()
    second.wait_for(run.id)
    assert "While you were away" not in second.shown()


def test_focus_that_returns_after_long_opens_it(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = sandbox.submit(*python("import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n" + FAILS))
    screen = open_dashboard()
    screen.wait_for(run.id)
    wait_until(lambda: os.path.exists(sandbox.home.host_file(LAST_SEEN_FILE)), "the look noted")
    looked(sandbox, ago=HOUR)
    screen.type("\x1b[O")
    wait_until(lambda: looked_at(sandbox) > time.time() - HOUR / 2, "the end of the look noted")
    looked(sandbox, ago=HOUR)  # time passes
    Path(run.run().spec.cwd, "go").touch()
    run.wait_for_end()
    screen.type("\x1b[I")
    screen.wait_for("While you were away")
    screen.wait_for("FileNotFoundError")
