"""The end of a run is recorded correctly, whatever the script does."""

from __future__ import annotations

import os
import signal
import time

from backprop_tui.domain.lifecycle import MIN_SLICE_SHARE
from backprop_tui.domain.run import Dependency, Ended, Run, StopPlan
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import identify, is_alive
from tests.support import processes
from tests.support.sandbox import Sandbox, Submitted, python, script

QUICK = StopPlan(grace_seconds=0.3)


def end_of(run: Run) -> Ended:
    assert isinstance(run.state, Ended)
    return run.state


def alive(submitted: Submitted) -> list[int]:
    """The processes in the ledger that are still alive; zombies count as dead."""
    pids = {entry.pid for entry in submitted.sandbox.ledger.entries(submitted.id)}
    alive = []
    for pid in pids:
        identity = identify(pid)
        if identity is not None and is_alive(identity):
            alive.append(pid)
    return alive


def test_a_script_that_exits_with_0_is_completed(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("worker.py", 4, 0.01, 0))
    end = end_of(run.wait_for_end())
    assert (end.status, end.exit_code, end.signal) == (Status.COMPLETED, 0, None)
    assert run.reports() == ["begin", "end 0"]
    assert run.run().step == 4
    assert [line["step"] for line in run.metrics()] == [1, 2, 3, 4]
    sandbox.wait_until_all_is_indexed()
    assert sandbox.index()[run.id]["status"] == "completed"


def test_a_failed_script_has_its_exit_code_and_a_reason(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python("import sys; sys.stderr.write('ValueError: so\\n'); sys.exit(7)"))
    end = end_of(run.wait_for_end())
    assert (end.status, end.exit_code, end.signal) == (Status.FAILED, 7, None)


def test_a_signal_that_is_not_ours_is_a_failure_with_its_name(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    named = run.script()
    assert named is not None
    assert processes.kill(named)
    end = end_of(run.wait_for_end())
    assert (end.status, end.exit_code, end.signal) == (Status.FAILED, None, "SIGKILL")
    assert end.cause is not None
    assert end.cause.kind == "killed_by_signal"


def test_a_command_that_cannot_be_executed_fails_and_names_the_path(sandbox: Sandbox) -> None:
    missing = sandbox.submit("/nowhere/train")
    cwd = sandbox.submit("/bin/true", cwd="/nowhere")
    text = os.path.join(sandbox.folder, "notes.txt")
    with open(text, "w", encoding="ascii") as file:
        file.write("not a program")
    forbidden = sandbox.submit(text)
    for run, named in ((missing, "/nowhere/train"), (cwd, "/nowhere"), (forbidden, text)):
        end = end_of(run.wait_for_end())
        assert (end.status, end.exit_code) == (Status.FAILED, None)
        assert named in (end.reason or "")
    assert end_of(missing.run()).cause is not None
    sandbox.wait_until_all_is_indexed()


def test_a_script_that_exits_with_1_at_its_limit_is_timeboxed(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=0.4)
    end = end_of(run.wait_for_end())
    assert (end.status, end.exit_code) == (Status.TIMEBOXED, 1)
    assert run.reports() == ["begin", "SIGINT"]
    assert 0.4 <= run.run().attempt.running_seconds < 2.0


def test_a_script_that_ignores_int_and_term_is_killed_with_all_its_descendants(sandbox: Sandbox) -> None:
    stubborn = sandbox.submit(*script("ignores_signals.py"), max_run_seconds=0.3, stop=QUICK)
    leaving = sandbox.submit(*script("leaves_descendants.py"))
    stubborn.wait(lambda: len(stubborn.reports()) == 2, "both of its processes are there")
    end = end_of(stubborn.wait_for_end())
    assert (end.status, end.exit_code, end.signal) == (Status.TIMEBOXED, None, "SIGKILL")
    end = end_of(leaving.wait_for_end())
    assert (end.status, end.exit_code) == (Status.COMPLETED, 0)
    assert leaving.reports().count("there") >= 4
    assert alive(stubborn) == alive(leaving) == []


def test_the_warning_comes_before_the_limit(sandbox: Sandbox) -> None:
    plan = StopPlan(warn_signal="SIGUSR1", warn_seconds=0.4)
    run = sandbox.submit(*script("exits_on_signal.py"), max_run_seconds=0.8, stop=plan)
    assert end_of(run.wait_for_end()).status is Status.TIMEBOXED
    assert run.reports() == ["begin", "SIGUSR1", "SIGINT"]
    assert run.events().count("warned") == 1


def test_descendants_in_other_sessions_are_ended_at_the_limit(sandbox: Sandbox) -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.fork()\nwhile True: time.sleep(60)\n"
    run = sandbox.submit(*python(code), max_run_seconds=0.4, stop=QUICK)
    run.wait(
        lambda: len(processes.with_environment(f"BACKPROP_RUN_ID={run.id}")) == 3, "the script and its two descendants"
    )
    assert end_of(run.wait_for_end()).status is Status.TIMEBOXED
    sandbox.wait_until_nothing_runs()


def test_a_script_that_exits_before_its_start_is_recorded_has_its_exit_code(sandbox: Sandbox) -> None:
    runs = [sandbox.submit("/bin/sh", "-c", "exit 3") for _ in range(5)]
    for run in runs:
        end = end_of(run.wait_for_end())
        assert (end.status, end.exit_code) == (Status.FAILED, 3)


def test_a_script_that_closes_its_output_is_still_guarded(sandbox: Sandbox) -> None:
    code = "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(60)"
    run = sandbox.submit(*python(code), max_run_seconds=0.3)
    assert end_of(run.wait_for_end()).status is Status.TIMEBOXED


def test_a_script_that_closed_its_stdin_is_still_adopted(sandbox: Sandbox) -> None:
    code = (
        "import os, time\n"
        "os.close(0)\n"
        "print('closed', flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "raise SystemExit(5)"
    )
    run = sandbox.submit(*python(code))
    run.wait(lambda: run.status() is Status.RUNNING and b"closed" in run.log(), "its stdin closed")
    guardian = run.guardian()
    assert guardian is not None
    assert processes.kill(guardian)
    run.wait(lambda: "adopted" in run.events(), "adopted")
    _touch(run, "go")
    end = end_of(run.wait_for_end())
    assert (end.status, end.exit_code) == (Status.FAILED, 5)


def _touch(run: Submitted, name: str) -> None:
    with open(os.path.join(run.run().spec.cwd, name), "wb"):
        pass


def test_ten_megabytes_without_a_line_end_are_kept_and_do_no_harm(sandbox: Sandbox) -> None:
    code = (
        "import os\n"
        "for _ in range(160): os.write(1, b'x' * 65536)\n"
        'os.write(1, b\'\\n{"step": 9, "loss": 0.5}\\n\')\n'
    )
    run = sandbox.submit(*python(code))
    assert end_of(run.wait_for_end()).status is Status.COMPLETED
    assert len(run.log()) == 160 * 65536 + 26
    assert run.run().step == 9
    assert run.run().metrics == {"loss": 0.5}


def test_a_million_lines_are_kept_and_their_last_step_is_known(sandbox: Sandbox) -> None:
    code = (
        "import os\n"
        "for block in range(1000):\n"
        "    os.write(1, b'a line of a chatty script\\n' * 999 + b'{\"step\": %d, \"loss\": 1}\\n' % block)\n"
    )
    run = sandbox.submit(*python(code))
    assert end_of(run.wait_for_end(seconds=60)).status is Status.COMPLETED
    assert run.log().count(b"\n") == 1_000_000
    assert run.run().step == 999
    assert len(run.metrics()) == 1000


def test_invalid_text_and_odd_numbers_are_read_as_far_as_possible(sandbox: Sandbox) -> None:
    code = (
        "import os\n"
        "os.write(1, b'\\xff\\xfe\\xc3 broken\\n')\n"
        'os.write(1, b\'{"step": "7", "loss": "0.25"}\\n\')\n'
        'os.write(1, b\'{"step": 8, "loss": NaN}\\n\')\n'
        'os.write(1, b\'\\xff{"step": 9, "accuracy": 1e400}\\r\')\n'
        'os.write(1, b\'{"step": 10, "lo\')\n'
    )
    run = sandbox.submit(*python(code))
    assert end_of(run.wait_for_end()).status is Status.COMPLETED
    assert run.log().startswith(b"\xff\xfe\xc3 broken\n")
    assert [line["step"] for line in run.metrics()] == [7, 8, 9]
    assert run.metrics()[0]["metrics"] == {"loss": 0.25}
    assert run.metrics()[1]["metrics"] == {"loss": "NaN"}
    assert "nan" in run.events()


def test_a_checkpoint_that_is_announced_is_recorded(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("worker.py", 4, 0.01, 0))
    record = run.wait_for_end()
    assert [(saved.path, saved.step) for saved in record.checkpoints] == [
        (os.path.join(record.spec.cwd, "checkpoint.json"), 2)
    ]
    assert run.events().count("checkpoint") == 1


def test_a_run_waits_for_another_and_is_stopped_when_that_fails(sandbox: Sandbox) -> None:
    good = sandbox.submit(*script("worker.py", 2, 0.05, 0))
    bad = sandbox.submit(*script("worker.py", 2, 0.05, 4))
    after_good = sandbox.submit(*script("worker.py", 1, 0, 0), after=(Dependency(run=good.id),))
    after_bad = sandbox.submit(*script("worker.py", 1, 0, 0), after=(Dependency(run=bad.id),))
    whatever = sandbox.submit(*script("worker.py", 1, 0, 0), after=(Dependency(run=bad.id, any_end=True),))
    assert end_of(after_good.wait_for_end()).status is Status.COMPLETED
    assert end_of(whatever.wait_for_end()).status is Status.COMPLETED
    end = end_of(after_bad.wait_for_end())
    assert (end.status, end.exit_code) == (Status.STOPPED, None)
    assert bad.id in (end.reason or "")
    order = [entry.run for entry in sandbox.ledger.entries() if entry.text.startswith(("begin", "end"))]
    assert order.index(after_good.id) > len(order) - 1 - order[::-1].index(good.id)
    assert sandbox.ledger.beginnings(after_bad.id) == 0


def test_a_retry_resumes_from_the_checkpoint_after_a_delay(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("worker.py", 4, 0, 9), retries=1)
    began = time.monotonic()
    run.wait(lambda: "attempt_ended" in run.events(), "its first attempt over")
    environment = run.directory.file("environment")
    assert os.stat(environment).st_mode & 0o777 == 0o600
    end = end_of(run.wait_for_end())
    assert (end.status, end.exit_code) == (Status.FAILED, 9)
    assert time.monotonic() - began >= 4.9
    run.wait(lambda: not os.path.exists(environment), "its environment forgotten at the final end")
    assert run.reports() == ["begin", "end 9", "begin", "end 9"]
    first, second = run.run().attempts
    assert (first.status, first.exit_code, first.resumed_from) == (Status.FAILED, 9, None)
    assert second.resumed_from == os.path.join(run.run().spec.cwd, "checkpoint.json")
    # Each line of the log is read once, although the second attempt appends to the same log.
    assert [line["step"] for line in run.metrics()] == [1, 2, 3, 4] * 2
    assert run.events().count("checkpoint") == 2


def test_slices_resume_from_the_checkpoint_until_their_total_is_used(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("worker.py", 2, 60, 0), max_run_seconds=1.2, total_seconds=2.6)
    assert end_of(run.wait_for_end()).status is Status.TIMEBOXED
    attempts = run.run().attempts
    assert {attempt.status for attempt in attempts} == {Status.TIMEBOXED}
    checkpoint = os.path.join(run.run().spec.cwd, "checkpoint.json")
    assert [attempt.resumed_from for attempt in attempts] == [None, *[checkpoint] * (len(attempts) - 1)]
    *earlier, last = (attempt.running_seconds for attempt in attempts)
    assert 1.2 <= sum(earlier) < 2.6
    assert sum(earlier) + last >= 2.6 - MIN_SLICE_SHARE * 1.2
    assert sandbox.ledger.beginnings(run.id) == len(attempts)


def test_a_foreign_stop_signal_within_the_run_is_not_mistaken_for_ours(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    named = run.script()
    assert named is not None
    assert processes.kill(named, signal.SIGINT)
    end = end_of(run.wait_for_end())
    assert (end.status, end.exit_code) == (Status.FAILED, 1)
