"""Fifty runs of known outcome in a storm of kills, stops, commands, dashboards, hot GPUs and spoiled files.

All choices follow from the seed; when they take effect depends on the machine. What happened is judged by what the
scripts wrote themselves: see scripts/storm_run.py.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.requests import ContinueRequest, EditRequest, PauseRequest, Request, StopRequest
from backprop_tui.domain.run import Ended, StopPlan
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.processes.identity import Identity, identify
from tests.support import processes
from tests.support.front_ends import PROGRAM, FrontEnd, environment
from tests.support.gpus import Gpus
from tests.support.sandbox import NO_LIMITS, Sandbox, Submitted, script
from tests.support.terminal import Terminal

RUNS, GPUS, ACTIONS = 50, 4, 80
TIMEBOX_SECONDS, GRACE_SECONDS = 1.0, 0.3
LONGEST_STOP_SECONDS = 1.5
PAUSE = PauseRequest(by="person", reason="in the storm")
CONTINUE = ContinueRequest(by="person", reason="in the storm")
STOP = StopRequest(by="person", reason="in the storm")
# Only one such run fits on a GPU of 80 GB.
LIMITS = replace(NO_LIMITS, gpu_min_free_vram_bytes=50 * GIGABYTE)
KINDS = ("works",) * 6 + ("fails",) * 3 + ("loud", "family", "timeboxed", "timeboxed", "deaf", "stopped", "vandal")
LIMITED = ("timeboxed", "deaf", "vandal")
ENDED_BY_US = ("stopped", *LIMITED)
COMMANDS = ("list --json", "list --all", "status --json", "queue hold", "queue release", "list --status failed --json")
SPOILABLE = ("experiments.json", "recent.json", "governor.json", "readings.json", "tokens", "histories.json")
KEYS = ("j", "k", "1", "2", "3", "4", "5", "\t", "?", "\x1b", "\x1b[A", "\x1b[B", "\r")


@dataclass
class StormRun:
    """One run, what it is to do, and what the storm did to it."""

    run: Submitted
    kind: str
    code: int
    needs_gpu: bool
    front_end: FrontEnd | None = None
    killed: set[str] = field(default_factory=set)  # of it: script, guardian
    is_stop_asked: bool = False

    def expected(self) -> set[tuple[Status, int | None]]:
        """Every end that would be true, with its exit code."""
        if self.kind == "stopped":
            ends: set[tuple[Status, int | None]] = {(Status.STOPPED, None)}
        elif self.kind in LIMITED:
            ends = {(Status.TIMEBOXED, None)}
        else:
            ends = {(Status.FAILED if self.code else Status.COMPLETED, self.code)}
        if "script" in self.killed:
            ends.add((Status.FAILED, None))
        if "guardian" in self.killed:
            ends.add((Status.LOST, None))
        return ends

    def problems(self) -> Iterator[str]:
        """What is wrong with its end."""
        record, reports = self.run.run(), self.run.reports()
        begins = sum(line.startswith("begin") for line in reports)
        end = record.state
        assert isinstance(end, Ended)
        # A script that is stopped by its signal may report any code; what counts is that it was stopped.
        code = end.exit_code if end.status in (Status.COMPLETED, Status.FAILED) else None
        if (end.status, code) not in self.expected():
            yield f"ended {end.status} {end.exit_code} {end.signal}, not {self.expected()}"
        # Its end may come before its first line.
        least = 0 if self.kind in ENDED_BY_US or "script" in self.killed else 1
        if not least <= begins <= 1:
            yield f"executed {begins} times"
        if len(record.attempts) > 1:
            yield f"{len(record.attempts)} attempts"
        held = [line for line in reports if line.startswith("held")]
        if held:
            yield f"something was used twice: {held}"
        if code is not None and f"end {code}" not in reports:
            yield f"exit code {code} was made up: {reports}"
        if self.run.living_reporters():
            yield "its script lives"
        if self.needs_gpu and begins and not reports[0].startswith("begin GPU-"):
            yield f"no GPU: {reports[0]}"


class Storm:
    """Starts the runs, and everything that happens to them."""

    def __init__(self, sandbox: Sandbox, gpus: Gpus, seed: int) -> None:
        self.sandbox, self.gpus = sandbox, gpus
        self.choice = random.Random(seed)
        self.runs: list[StormRun] = []
        self.log: list[str] = []
        self.problems: list[str] = []
        self._stopped: list[tuple[float, Identity]] = []
        self._commands: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._dashboards: list[Terminal] = []
        self._began = time.monotonic()
        self._junk: set[str] = set()

    # The runs

    def _add_run(self) -> None:
        kind = self.choice.choice(KINDS)
        code = {"works": 0, "loud": 0, "family": 0}.get(kind, self.choice.randint(1, 9))
        needs_gpu = self.choice.random() < 0.6
        steps = self.choice.randint(1, 12)
        does = {"fails": "works", "timeboxed": "endless", "stopped": "endless"}.get(kind, kind)
        command = script("storm_run.py", does, steps, code)
        if kind in ("works", "fails") and not needs_gpu and self.choice.random() < 0.3:
            front_end = FrontEnd(self.sandbox, *command, options=("--gpus", "0"))
            self.runs.append(StormRun(front_end.run, kind, code, needs_gpu, front_end))
            return
        spec: dict[str, Any] = {
            "gpus": int(needs_gpu),
            "limits": LIMITS,
            "leftovers": "kill",
            "stop": StopPlan(grace_seconds=GRACE_SECONDS),
            "max_run_seconds": TIMEBOX_SECONDS if kind in LIMITED else None,
        }
        self.runs.append(StormRun(self.sandbox.queue(*command, **spec), kind, code, needs_gpu))
        if self.choice.random() < 0.5:
            self._call()

    def _call(self) -> None:
        with suppress(StateUnavailable):  # supervisors have failed several times, the next one waits
            self.sandbox.call()

    def _some_run(self, *, but: tuple[str, ...] = ()) -> StormRun | None:
        """An unfinished run, if there is one."""
        markers = set(self.sandbox.markers())
        left = [run for run in self.runs if run.run.id in markers and run.kind not in but]
        return self.choice.choice(left) if left else None

    # What happens

    def rage(self) -> None:
        """Lets everything happen, then calms down."""
        actions = self._actions()
        for number in range(ACTIONS):
            if len(self.runs) < RUNS and number % 2 == 0:
                self._add_run()
            action = self.choice.choice(actions)
            self.log.append(f"{time.monotonic() - self._began:.2f} {action()}")
            self._continue(time.monotonic())
            time.sleep(self.choice.uniform(0, 0.03))
        while len(self.runs) < RUNS:
            self._add_run()
        self._calm_down()

    def _actions(self) -> list[Callable[[], str]]:
        often = [self._kill_guardian, self._kill_script, self._kill_supervisor, self._stop_process, self._ask]
        seldom = [self._kill_fork_server, self._kill_sampler, self._kill_front_end, self._command, self._dashboard]
        return [*(often * 3), *(seldom * 2), self._spoil, self._spoil, self._junk_run, self._change_gpu, self._steer]

    def _kill(self, what: str, identity: Identity | None) -> str:
        is_killed = identity is not None and processes.kill(identity)
        return f"killed {what} {identity.pid}" if identity is not None and is_killed else f"no {what}"

    def _kill_supervisor(self) -> str:
        return self._kill("supervisor", self.sandbox.supervisor())

    def _kill_fork_server(self) -> str:
        """Seldom: after two in a row the queue pauses, ever longer."""
        if self.choice.random() < 0.6:
            return "left the fork server alone"
        return self._kill("fork server", self.sandbox.fork_server())

    def _kill_sampler(self) -> str:
        known = processes.with_environment(self.sandbox.home.root)
        return self._kill("sampler", next((pid for pid in known if "sample.py" in processes.describe(pid)), None))

    def _guardian(self, run: StormRun | None) -> Identity | None:
        """None also for a fork of a guardian that has not executed its script yet."""
        identity = None if run is None else run.run.guardian()
        if identity is None or processes.comm(processes.parent(identity.pid) or 0) == "backprop-run":
            return None
        return identity

    def _kill_guardian(self) -> str:
        run = self._some_run(but=("vandal",))  # where the record is damaged as well, nobody knows the run any more
        identity = self._guardian(run)
        if run is not None and identity is not None:
            run.killed.add("guardian")
        return self._kill(f"guardian of {run and run.run.id}", identity)

    def _kill_script(self) -> str:
        run = self._some_run(but=("vandal",))
        identity = None if run is None else run.run.script()
        if run is not None and identity is not None:
            run.killed.add("script")
        return self._kill(f"script of {run and run.run.id}", identity)

    def _kill_front_end(self) -> str:
        run = self.choice.choice(self.runs)
        if (
            run.front_end is None
            or not os.path.exists(run.run.directory.path)
            or run.front_end.process.poll() is not None
        ):
            return "no front end"
        run.front_end.process.kill()
        run.killed.add("front end")
        return f"killed the front end of {run.run.id}"

    def _stop_process(self) -> str:
        run = self._some_run(but=("vandal",))
        victims = [self.sandbox.supervisor(), self.sandbox.fork_server(), self._guardian(run)]
        victims += [identify(terminal.pid) for terminal in self._dashboards]
        victims += [identify(process.pid) for _, process in self._commands if process.poll() is None]
        identity = self.choice.choice([victim for victim in victims if victim is not None] or [None])
        if identity is None or not processes.kill(identity, signal.SIGSTOP):
            return "nothing to stop"
        until = time.monotonic() + self.choice.uniform(0, LONGEST_STOP_SECONDS)
        self._stopped.append((until, identity))
        return f"stopped {processes.describe(identity)[:60]}"

    def _continue(self, now: float) -> None:
        for until, identity in [*self._stopped]:
            if until <= now:
                processes.kill(identity, signal.SIGCONT)
                self._stopped.remove((until, identity))

    def _ask(self) -> str:
        """Asks a run for something: to stop, if that is its end, or for what changes no end."""
        run = self._some_run(but=("vandal",))
        if run is None or not os.path.exists(run.run.directory.path):
            return "nothing to ask"
        requests: list[Request] = [PAUSE, CONTINUE, EditRequest(note="n" * self.choice.randint(0, 5000))]
        request = self.choice.choice([*requests, STOP] if run.kind == "stopped" else requests)
        run.is_stop_asked |= isinstance(request, StopRequest)
        run.run.ask(request)
        return f"asked {run.run.id}: {type(request).__name__}"

    def _command(self) -> str:
        words = self.choice.choice(COMMANDS)
        self._start(words)
        return words

    def _start(self, words: str) -> subprocess.Popen[bytes]:
        output = os.path.join(self.sandbox.folder, f"output-{len(self._commands)}")
        with open(output, "wb") as file:
            process = subprocess.Popen(
                (*PROGRAM, *words.split()), env=environment(self.sandbox), stdout=file, stderr=file,
                stdin=subprocess.DEVNULL, cwd=self.sandbox.folder,
            )  # fmt: skip
        self._commands.append((words, process))
        return process

    def _dashboard(self) -> str:
        """Opens one, or resizes the one that is open, types a key, or ends it in one way or another."""
        if not self._dashboards:
            size = (self.choice.randint(20, 200), self.choice.randint(5, 60))
            command, variables = PROGRAM, environment(self.sandbox)
            self._dashboards.append(Terminal(command, environment=variables, cwd=self.sandbox.folder, size=size))
            return f"opened a dashboard of {size}"
        terminal = self._dashboards[-1]
        if not terminal.lives():
            self.problems.append(f"the dashboard ended: {terminal.shown()}")
        if not terminal.lives() or self.choice.random() < 0.1:
            terminal.__exit__()
            self._dashboards.remove(terminal)
            return "killed the dashboard"
        for _ in range(self.choice.randint(1, 4)):
            terminal.resize(self.choice.randint(2, 200), self.choice.randint(2, 60))
        terminal.type(self.choice.choice(KEYS))
        return "resized the dashboard"

    def _spoil(self) -> str:
        """Makes a file that can be rebuilt something else."""
        home = self.sandbox.home
        name = self.choice.choice(SPOILABLE)
        path = next(
            (path for path in (os.path.join(home.root, name), home.host_file(name)) if os.path.lexists(path)), None
        )
        if path is None:
            return f"no {name}"
        kinds: dict[str, Callable[[str], object]] = {
            "garbage": lambda path: _write(path, self.choice.randbytes(300)),
            "empty": lambda path: _write(path, b""),
            "a FIFO": os.mkfifo,
            "a directory": os.mkdir,
            "a loop": lambda path: os.symlink(os.path.basename(path), path),
            "missing": lambda _path: None,
        }
        kind = self.choice.choice(list(kinds))
        try:
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
            kinds[kind](path)
        except OSError as error:  # it was written at this moment
            return f"{name} not spoiled: {error}"
        return f"{name} is {kind}"

    def _junk_run(self) -> str:
        """A run of which nothing can be read, and a marker of none."""
        home, run_id = self.sandbox.home, f"junk{len(self._junk)}"
        self._junk.add(run_id)
        os.mkdir(home.run_folder(run_id))
        path = os.path.join(home.run_folder(run_id), "run.json")
        self.choice.choice((lambda: _write(path, b'{"record": 5'), lambda: os.mkfifo(path), lambda: os.mkdir(path)))()
        _write(home.marker(run_id), b"")
        return run_id

    def _change_gpu(self) -> str:
        index = self.choice.randrange(GPUS)
        figures = self.choice.choice(({"celsius": 95}, {"hangs": True}, {"lost": True}, {"used": 70 << 30}))
        self.gpus.set(index, **{"celsius": 40, "hangs": False, "lost": False, "used": 0} | figures)
        return f"GPU {index}: {figures}"

    def _steer(self) -> str:
        for index in range(GPUS):
            self.gpus.set(index, celsius=40, hangs=False, lost=False, used=0)
        return "all GPUs well"

    # Afterwards

    def _calm_down(self) -> None:
        self._continue(float("inf"))
        self._steer()
        while self._dashboards:
            self._dashboards.pop().__exit__()
        for _, command in self._commands:
            command.wait(60)
        self._start("queue release").wait(60)
        for run in self.runs:
            if run.front_end is None or os.path.exists(run.run.directory.path):
                run.run.ask(CONTINUE)
                if run.kind == "stopped":
                    run.run.ask(STOP)

    def settle(self) -> None:
        """Waits until nothing more happens; the next command may have to start a supervisor."""

        def is_settled() -> bool:
            self._call()
            time.sleep(0.1)
            return not set(self.sandbox.markers()) - self._junk

        self.sandbox.wait_until(is_settled, "every run ended and indexed", seconds=60)
        self.sandbox.wait_until_nothing_runs()
        # A supervisor that has nothing to do ends.
        root = self.sandbox.home.root
        self.sandbox.wait_until(lambda: not processes.with_environment(root), "no process", seconds=30)

    def judge(self) -> list[str]:
        """Everything that is wrong."""
        for run in self.runs:
            code = 0 if run.front_end is None else run.front_end.end()[0]
            if not os.path.exists(run.run.directory.path) and code not in (0, run.code):
                continue  # its front end could not queue it, and said so
            self.problems += [f"{run.run.id} ({run.kind}, killed {run.killed}): {text}" for text in run.problems()]
            if run.front_end is not None and not run.killed and code != run.code:
                self.problems.append(f"the front end of {run.run.id} ended with {code}, not {run.code}")
        for number, (words, process) in enumerate(self._commands):
            process.wait(60)
            with open(
                os.path.join(self.sandbox.folder, f"output-{number}"), errors="replace", encoding="utf-8"
            ) as file:
                output = file.read()
            if process.returncode in (70, -9) or "Traceback" in output:
                self.problems.append(f"{words}: {process.returncode} {output[-2000:]}")
        return [*self.problems, *self._left()]

    def end(self) -> None:
        """Ends what a failed storm left."""
        self._continue(float("inf"))
        for terminal in self._dashboards:
            terminal.__exit__()
        for process in [process for _, process in self._commands] + [
            run.front_end.process for run in self.runs if run.front_end
        ]:
            process.kill()
            process.communicate()

    def _left(self) -> Iterator[str]:
        """What is not in the index, and what is left in the store."""
        indexed = {name for name, record in self.sandbox.index().items() if record["status"] in ENDED}
        for run in self.runs:
            if run.run.id not in indexed and os.path.exists(run.run.directory.path):
                yield f"{run.run.id} is not in the index"
            if os.path.lexists(run.run.directory.file("environment")):
                yield f"{run.run.id} has its environment"
        for folder, _, names in os.walk(self.sandbox.home.root):
            for name in names:
                # The next sampler removes the temporary files of one that was killed.
                is_of_sampler = name.startswith((".readings.json.", ".histories.json."))
                if (name.endswith(".tmp") and not is_of_sampler) or name == "bell":
                    yield f"{os.path.join(folder, name)} is left"
        for name in os.listdir(self.sandbox.home.new):
            yield f"new/{name} is left"


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
