"""The digest opens by itself after a long absence during which a run ended."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from backprop_tui.tui.absence import LastSeen
from tests.end_to_end.dashboard.conftest import Open
from tests.end_to_end.dashboard.helpers import assert_terminal_restored
from tests.support.sandbox import Sandbox, python
from tests.support.waiting import wait_until

HOUR = 3600.0
FAILS = "raise FileNotFoundError('/data/train.idx')"


def note_last_seen(sandbox: Sandbox, *, ago: float) -> None:
    LastSeen(sandbox.home).note(time.time() - ago)


def last_seen(sandbox: Sandbox) -> float:
    return os.stat(sandbox.home.last_seen).st_mtime


def test_after_an_hour_the_digest_shows_the_failure_and_enter_goes_there(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    run = sandbox.submit(*python(FAILS))
    run.wait_for_end()
    note_last_seen(sandbox, ago=HOUR)
    screen = open_dashboard()
    screen.wait_for("What happened while you were away")
    screen.wait_for("Away 1h")
    screen.wait_for("FileNotFoundError")
    screen.type("\r")
    screen.wait_until_gone("What happened while you were away")
    screen.type("D")
    screen.wait_for("What happened while you were away")
    screen.type("\x1b")
    screen.wait_until_gone("What happened while you were away")
    screen.type("q")
    assert screen.wait_for_exit() == 0
    assert_terminal_restored(screen)


def test_after_a_minute_there_is_no_digest(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = sandbox.submit(*python(FAILS))
    run.wait_for_end()
    note_last_seen(sandbox, ago=60)
    screen = open_dashboard()
    screen.wait_for(run.id)
    screen.type("D")
    screen.wait_for("What happened in the last day")  # by then it would have opened by itself


def test_a_killed_dashboard_has_noted_the_last_look(sandbox: Sandbox, open_dashboard: Open) -> None:
    note_last_seen(sandbox, ago=HOUR)
    began = time.time()
    screen = open_dashboard()
    screen.wait_for("No runs yet")
    wait_until(lambda: last_seen(sandbox) >= began - 1, "the look noted")
    screen.signal(signal.SIGKILL)
    screen.wait_for_exit()
    run = sandbox.submit(*python(FAILS))
    run.wait_for_end()
    second = open_dashboard()
    second.wait_for(run.id)
    assert "What happened while you were away" not in second.shown()


def stays_away(sandbox: Sandbox) -> bool:
    """Whether an hour that passes is not undone by a note that is still under way."""
    note_last_seen(sandbox, ago=HOUR)
    time.sleep(1.0)
    return last_seen(sandbox) < time.time() - HOUR / 2


def test_regaining_focus_after_a_long_time_opens_it(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = sandbox.submit(*python("import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n" + FAILS))
    screen = open_dashboard()
    screen.wait_for(run.id)
    wait_until(lambda: os.path.exists(sandbox.home.last_seen), "the look noted")
    note_last_seen(sandbox, ago=HOUR)
    screen.type("\x1b[O")
    wait_until(lambda: last_seen(sandbox) > time.time() - HOUR / 2, "the end of the look noted")
    wait_until(lambda: stays_away(sandbox), "no further note of the look")
    Path(run.run().spec.cwd, "go").touch()
    run.wait_for_end()
    screen.type("\x1b[I")
    screen.wait_for("What happened while you were away")
    screen.wait_for("FileNotFoundError")
