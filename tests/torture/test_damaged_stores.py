"""One damaged file of a store harms nobody else: every command, the supervisor and the dashboard go on.

`python -m pytest tests/torture --rounds 5000 --seed 1` goes on for longer than the short form in CI.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backprop_tui.cli.invocation import run_program
from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.run import Cause, Checkpoint, Peak
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.engine.capacity import write_tokens
from backprop_tui.engine.guard import Guard
from backprop_tui.engine.supervisor import GovernorFile
from backprop_tui.engine.unfinished_runs import index_runs
from backprop_tui.engine.wakeup import Bell
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.store.creation import delete_unfinished_builds
from backprop_tui.store.home import Home
from backprop_tui.tui import Mode, dashboard
from tests.engine.machines import Host
from tests.support.indexed import index_all
from tests.torture.mutations import copy_store, damage, files_of

HOST = "testhost"
UNTOUCHED = "untouched"  # a queued run that nothing is damaged of
COMMAND_SECONDS = 10
DELAY_SECONDS = 2.0
MOST_FAILURES = 50
ROUNDS = 12

LOOKING = (
    *("list --filter loss<1", "list --sort loss --all", "list --handles", "export", "export --json", "queue"),
    *("wait --all --timeout 0", "logs --all", "clean --older-than 1h --dry-run", "stop --all --dry-run"),
    *("show g", "compare g", "list --all --json", "list --group g"),
)
OF_ONE = (
    *("status {}", "status {} --json", "show {}", "logs {}", "compare {} done", "export {}", "remove {} --dry-run"),
    *("edit {} --note x --dry-run", "resume {} --dry-run", "wait {} --timeout 0", "stop {} --dry-run", "list {}"),
)
MEASURING = ("status", "status --json", "doctor", "doctor --json", "--dry-run run -- true")  # slower than the others
CHANGING = (
    *("run --detach -- true", "run --detach --like done", "edit waits --note x", "queue release", "stop waits"),
    *("remove done --yes", "clean --older-than 0s --yes", "resume done --detach", "queue move waits --to 1"),
    *("edit done --note x", "remove {} --yes", "queue hold"),
)


class TooLate(BaseException):
    """A command hangs."""


@dataclass
class Store:
    """A store that is damaged and made new again and again."""

    template: str
    root: str
    config_path: str
    output: str  # where commands write to
    failures: list[str] = field(default_factory=list)

    def command(self, line: str) -> None:
        began = time.monotonic()
        signal.alarm(COMMAND_SECONDS)
        try:
            with open(self.output, "w+", encoding="utf-8", errors="surrogateescape") as file:
                with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                    code = run_program(line.split())
                file.seek(0)
                printed = file.read()
        except TooLate:
            self.fails(line, "hangs")
            return
        finally:
            signal.alarm(0)
        if code == 70 or "internal error" in printed or "Traceback" in printed or "[Errno" in printed:
            self.fails(line, f"exit code {code}: {printed[-300:]}")
        if line in ("list", "list --all --json") and (code != 0 or UNTOUCHED not in printed):
            self.fails(line, f"exit code {code}, the others are not listed: {printed[-300:]}")
        if time.monotonic() - began > COMMAND_SECONDS:
            self.fails(line, "late")

    def supervise(self) -> None:
        """What a supervisor does, with a launcher that starts nothing."""
        began = time.monotonic()
        signal.alarm(COMMAND_SECONDS)
        try:
            host = Host(os.path.dirname(self.root), config=_CONFIG)
            delete_unfinished_builds(host.home, older_than_seconds=60.0)
            bell = Bell(host.home)
            result = host.scheduler.run_pass((), explain=True)
            if UNTOUCHED not in result.guardians or time.monotonic() - began > DELAY_SECONDS:
                self.fails("supervisor", f"started {list(result.guardians)} after {time.monotonic() - began:.1f} s")
            Guard(host.home, host.capacity, host.readings_source).check(result.runs)
            GovernorFile(host.home).write(result, {})
            index_runs(host.home, result.runs)
            for run in result.runs:
                if run.status in ENDED:
                    host.capacity.vram_history.record(run)
            host.scheduler.run_pass((UNTOUCHED,), explain=True)
            bell.remove()
        except (Exception, TooLate) as error:  # noqa: BLE001 - whatever it is, it would end the supervisor
            self.fails("supervisor", repr(error))
        finally:
            signal.alarm(0)

    def look(self) -> None:
        """Opens the dashboard, and looks at every run and tab."""
        signal.alarm(3 * COMMAND_SECONDS)
        try:
            asyncio.run(self._look())
        except (Exception, TooLate) as error:  # noqa: BLE001 - as above
            self.fails("dashboard", repr(error))
        finally:
            signal.alarm(0)

    async def _look(self) -> None:
        app = dashboard(Home(self.root, HOST), self.config_path, mode=Mode.READ_ONLY)
        async with app.run_test(size=(120, 40)) as pilot:
            for key in ("down", "down", "2", "3", "4", "5", "1", "down", "down"):
                await pilot.press(key)
            await pilot.pause()

    def fails(self, what: str, problem: str) -> None:
        self.failures.append(f"{what}: {problem}")


def _raise_late(_number: int, _frame: object) -> None:
    raise TooLate


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with runs in every state, and a file of every kind."""
    template = tmp_path / "template"
    build(Host(str(template), config=_CONFIG))
    root = tmp_path / "home" / "backprop"
    root.parent.mkdir()
    config = tmp_path / "home" / "config.toml"
    config.write_text(_CONFIG)
    monkeypatch.setenv("BACKPROP_HOME", str(root))
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(SupervisorProcess, "_spawn", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, _raise_late)
    yield Store(str(template / "backprop"), str(root), str(config), str(tmp_path / "output"))
    signal.signal(signal.SIGALRM, before)


_CONFIG = 'max_parallel = 0\n[gpu]\nprobe = "none"\n[governor]\nmax_load_per_core = 0\nstarts_per_minute = 0\n'


def build(host: Host) -> None:
    """Fills a store."""
    runs, home = host.runs, host.home
    cause = Cause(kind="cuda_oom", evidence="e", advice="a", summary="s", line=3, advised=("--batch", "8", "4"))
    saved = Checkpoint(path="/c.pt", step=5, saved_at=1e9)
    for run_id, status, extra in (
        ("done", Status.COMPLETED, {"group": "g", "tags": ("t",)}),
        ("failed", Status.FAILED, {"group": "g", "note": "n"}),
        ("kept", Status.TIMEBOXED, {"checkpoints": (saved,), "peak": Peak(vram_bytes=5)}),
    ):
        guardian = runs.guarded(run_id, metrics={"loss": 0.5, "val_loss": 1.0}, step=7, **extra)
        guardian.measures(7, loss=0.5, val_loss=1.0)
        guardian.prints(b"step 7 loss 0.5\n")
        guardian.directory.append_request(TimeboxRequest(max_run_seconds=60.0))
        guardian.ends(status, exit_code=int(run_id == "failed"), cause=cause if run_id == "failed" else None)
    index_all(home)
    os.rename(home.index, home.monthly_index("2025-03"))
    os.unlink(home.recent)
    runs.ended("again", group="g", metrics={"loss": 0.25})
    index_all(home)
    runs.ended("unindexed")
    runs.queued("waits")
    runs.queued("asked").append_request(EditRequest(priority=3))
    runs.guarded("runs", metrics={"loss": 0.125}, step=3).dies()
    runs.queued(UNTOUCHED, priority=-5)
    Path(home.replaced_index("original")).write_text(
        '[{"id": "exp-1", "scriptPath": "/t.py", "startTime": 1e12, "lastLoss": 0.5, "checkpoints": ["/c.pt"]}]'
    )
    Path(home.queue_held).touch()
    GovernorFile(home).write(host.scheduler.run_pass(("runs",), explain=True), {})
    os.unlink(home.queue_held)
    write_tokens(home, host.capacity.snapshot(()).bucket)
    for path, content in (
        (home.commands, '[["train.py", "--lr", "1"]]'),
        (home.pane_rule, '{"rows": 0.5, "columns": 0.5}'),
        (home.seen_failures, '{"seen": ["failed"]}'),
        (home.list_choices, '{"columns": {"loss": true}, "sort": {"key": "loss", "largest_first": true}}'),
        (home.vram_history, '{"k": 5}'),
        (home.histories, '{"schema_version": 1, "time": 1e9, "of": {"host": {"utilization": [1.0]}}}'),
        (home.bell, ""),
        (home.notified_ends, "done 1\n"),
        (os.path.join(home.active, "ghost"), ""),
        (os.path.join(home.new, "draft~1"), ""),
        (home.last_seen, ""),
    ):
        Path(path).write_text(content)


def test_a_damaged_file_affects_no_other_run(store: Store, pytestconfig: pytest.Config) -> None:
    rounds, seed = pytestconfig.getoption("--rounds") or ROUNDS, pytestconfig.getoption("--seed")
    files = [path for path in files_of(store.template) if f"/{UNTOUCHED}" not in path]
    records = [path for path in files if path.endswith(("run.json", "live.json", "requests.jsonl", "recent.json"))]
    for number in range(seed, seed + rounds):
        choice = random.Random(number)
        copy_store(store.template, store.root)
        targets = choice.sample(choice.choice((records, files)), choice.choice((1, 1, 1, 3)))
        target, how = targets[0], [damage(os.path.join(store.root, target), number) for target in targets]
        known = len(store.failures)
        run_id = target.split("/")[1] if target.startswith(("runs/", "active/")) else choice.choice(("done", "waits"))
        lines = ["list", *choice.sample(LOOKING, 2), *choice.sample(OF_ONE, 1)]
        lines += choice.sample(CHANGING, number % 2) + choice.sample(MEASURING, number % 10 == 0)
        for line in lines:
            store.command(line.format(run_id))
        if number % 20 == 0:
            store.look()
        if number % 3 == 0 and "queue hold" not in lines:
            store.supervise()
        store.failures[known:] = [f"{number} {targets}, {how}\n   {failure}" for failure in store.failures[known:]]
        sys.stdout.write("".join(f"{failure}\n" for failure in store.failures[known:]))  # shown at once with -s
        if len(store.failures) > MOST_FAILURES:
            break
    assert not store.failures, "\n".join(store.failures)
