"""How runs end, and what is recorded about it."""

from __future__ import annotations

import signal

from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.status import Status
from tests.support import processes
from tests.support.commands import Commands
from tests.support.front_ends import FrontEnd
from tests.support.sandbox import Sandbox, python, script

QUICK = StopPlan(grace_seconds=0.3)
# A script with a child, and a grandchild in a session of its own without an environment; each says that it is there.
FAMILY = """
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0 and os.fork() == 0:
    os.setsid()
    os.write(1, b"there\\n")
    os.execve(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(600)"], {})
os.write(1, b"there\\n")
while True: time.sleep(60)
"""


def test_the_end_of_a_script_is_the_end_of_its_run(sandbox: Sandbox) -> None:
    good = sandbox.submit(*script("worker.py", 4, 0.01, 0))
    bad = sandbox.submit(*python("import json\njson.loads('no')"))
    code = sandbox.submit("/bin/sh", "-c", "exit 3")
    missing = sandbox.submit("/nowhere/train")
    killed = sandbox.submit(*python("import os\nos.kill(os.getpid(), 9)"))
    assert good.outcome() == (Status.COMPLETED, 0, None)
    assert bad.outcome() == (Status.FAILED, 1, None)
    assert code.outcome() == (Status.FAILED, 3, None)
    assert missing.outcome() == (Status.FAILED, None, None)
    assert killed.outcome() == (Status.FAILED, None, "SIGKILL")
    assert good.reports() == ["begin", "end 0"]
    assert [line["step"] for line in good.metrics()] == [1, 2, 3, 4]
    assert "JSONDecodeError" in (bad.end().reason or "")
    assert "/nowhere/train" in (missing.end().reason or "")
    cause = killed.end().cause
    assert cause is not None
    assert cause.kind == "killed_by_signal"
    sandbox.wait_until_all_is_indexed()
    assert {run.id for run in (good, bad, code, missing, killed)} == set(sandbox.index())


def test_a_front_end_passes_on_output_and_exit_code(sandbox: Sandbox) -> None:
    front_ends = [
        FrontEnd(sandbox, *python("import os\nos.write(1, bytes(range(256)) * 9)\nraise SystemExit(9)")),
        FrontEnd(sandbox, *python("import os\nos.kill(os.getpid(), 9)")),
        FrontEnd(sandbox, "true"),
    ]
    ends = [front_end.end() for front_end in front_ends]
    assert [code for code, _, _ in ends] == [9, 128 + signal.SIGKILL, 0], ends
    assert ends[0][1] == bytes(range(256)) * 9


def test_a_timebox_ends_a_script_gently_and_then_not(sandbox: Sandbox) -> None:
    gentle = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=0.4)
    deaf = sandbox.submit(*script("ignores_signals.py"), max_run_seconds=0.4, stop=QUICK)
    leaving = sandbox.submit(*script("leaves_descendants.py"), leftovers="kill")
    assert gentle.outcome() == (Status.TIMEBOXED, 1, None)
    assert gentle.reports() == ["begin", "SIGINT"]
    assert 0.4 <= gentle.run().attempt.running_seconds < 3.0
    assert deaf.outcome() == (Status.TIMEBOXED, None, "SIGKILL")
    assert "SIGTERM" in deaf.directory_text("events.jsonl")
    assert leaving.outcome() == (Status.COMPLETED, 0, None)
    assert leaving.reports().count("there") >= 4
    assert deaf.living_reporters() == leaving.living_reporters() == []


def test_a_stop_reaches_the_whole_tree(sandbox: Sandbox, commands: Commands) -> None:
    gentle = sandbox.submit(*script("exits_on_signal.py"))
    family = sandbox.submit(*python(FAMILY))
    gentle.wait_until_it_reports("begin")
    family.wait_for(Status.RUNNING)
    family.wait(lambda: family.log().count(b"there") == 3, "its three processes")
    assert commands("stop", gentle.id).code == 0
    assert commands("stop", "--now", family.id).code == 0
    assert gentle.outcome() == (Status.STOPPED, 1, None)
    assert gentle.reports() == ["begin", "SIGINT"]
    assert family.outcome() == (Status.STOPPED, None, "SIGKILL")
    sandbox.wait_until_nothing_runs()
    assert processes.with_environment(f"BACKPROP_RUN_ID={family.id}") == []
