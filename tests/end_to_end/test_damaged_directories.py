"""A script that damages its own run directory: it ends at its timebox, its end is recorded, and no other run waits."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.status import Status
from tests.support.sandbox import Sandbox, Submitted, python

# Once its guardian has written every file.
BEGIN = (
    "import os, shutil, time, json\nd = os.environ['BACKPROP_RUN_DIR']\nr = d + '/run.json'\n"
    "while not os.path.exists(d + '/live.json'): time.sleep(0.01)\n"
)
END = "\ntime.sleep(60)"
# Its guardian may write a file meanwhile.
DELETE = "while os.path.isdir(d): shutil.rmtree(d, ignore_errors=True)\n"
DAMAGE = {
    "deleted": DELETE,
    "moved": "os.rename(d, os.getcwd() + '/moved')",
    "closed": "os.chmod(d, 0)",
    "open to all": "os.chmod(d, 0o777); os.chmod(r, 0o666)",
    "a file": DELETE + "open(d, 'w').close()",
    "record deleted": "os.unlink(r)",
    "record garbage": "open(r, 'w').write('garbage')",
    "record a FIFO": "os.unlink(r); os.mkfifo(r)",
    "record a directory": "os.unlink(r); os.makedirs(r + '/x')",
    "record ended": "j = json.load(open(r)); j['record']['state'] = {'kind': 'ended', 'at': 5, 'status': 'completed'}\n"
    "json.dump(j, open(r, 'w'))",
    "lock deleted": "os.unlink(d + '/lock'); os.unlink(d + '/script.lock')",
    "live record a directory": "os.unlink(d + '/live.json'); os.mkdir(d + '/live.json')",
    "everything a FIFO": "for n in os.listdir(d):\n  os.unlink(d + '/' + n); os.mkfifo(d + '/' + n)",
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_run_directory_delays_no_end_and_no_other_run(sandbox: Sandbox, damage: str) -> None:
    sandbox.allow(1)
    run = sandbox.submit(*python(BEGIN + DAMAGE[damage] + END), max_run_seconds=2.0)
    other = sandbox.submit(*python("pass"))
    assert other.end(seconds=20).status is Status.COMPLETED
    # A record that says that it has ended lets the other run start a moment too early, until the guardian repairs it.
    run.wait(lambda: _readable_status(run) is Status.TIMEBOXED, "the end at the timebox")
    sandbox.wait_until_all_is_indexed()
    assert {record["status"] for record in sandbox.index().values()} == {"completed", "timeboxed"}
    sandbox.wait_until_nothing_runs()
    assert os.path.isdir(run.directory.path)


def _readable_status(run: Submitted) -> Status | None:
    """None while the record is damaged, or missing because the guardian has just set the damaged one aside."""
    try:
        return run.run().status
    except BrokenRecord:
        return None


LOSE_LIVE_RECORD = "time.sleep(3)\nos.kill(os.getppid(), 9)\nos.unlink(d + '/live.json')"


def test_a_lost_live_record_does_not_begin_the_timebox_again(sandbox: Sandbox) -> None:
    """Its guardian dies with it three seconds after the start: all that is left is the script."""
    run = sandbox.submit(*python(BEGIN + LOSE_LIVE_RECORD + END), max_run_seconds=4.0)
    ended = run.wait_for_end(seconds=20)
    assert ended.status is Status.TIMEBOXED
    attempt = ended.attempt
    assert attempt.ended_at is not None
    assert attempt.ended_at - attempt.started_at < 6.0
    assert 3.9 <= attempt.running_seconds < 6.0
    assert "live_lost" in run.events()
