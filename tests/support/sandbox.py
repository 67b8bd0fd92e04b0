"""A store of a test's own with a real supervisor: submits runs, waits for their state, finds and kills processes."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.live import Live, displayed_status
from backprop_tui.domain.requests import Request
from backprop_tui.domain.run import LOCAL, Ended, Queued, Run, Spec
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.launchers.lease import lease_owner
from backprop_tui.launchers.supervisor_process import SupervisorProcess, reap_ended
from backprop_tui.processes.identity import Identity, identify, is_alive
from backprop_tui.processes.tree import children, descendants
from backprop_tui.store.creation import create
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import read_object
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory, read_lines
from tests.support import processes
from tests.support.ledger import VARIABLE, Ledger
from tests.support.waiting import PATIENCE_SECONDS, wait_until

ValueT = TypeVar("ValueT")

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
HOST = "testhost"
# Other load on the machine must not hold a test's runs.
NO_LIMITS = RunLimits(min_free_ram_bytes=0, max_load_per_core=0, min_free_disk_bytes=0)


def script(name: str, *arguments: object) -> tuple[str, ...]:
    """The command of one of the scripts beside this module."""
    return sys.executable, "-S", os.path.join(SCRIPTS, name), *map(str, arguments)


def python(code: str) -> tuple[str, ...]:
    """The command of a few lines of Python."""
    return sys.executable, "-S", "-c", code


def shell(code: str) -> tuple[str, ...]:
    """The command of a few lines of shell script."""
    return "bash", "-c", code


class Submitted:
    """One run of the sandbox."""

    def __init__(self, sandbox: Sandbox, directory: RunDirectory) -> None:
        self.sandbox = sandbox
        self.directory = directory
        self.id = os.path.basename(directory.path)

    def run(self) -> Run:
        return self.directory.read()

    def live(self) -> Live | None:
        return self.directory.read_live()

    def status(self) -> Status:
        """The status as front ends show it."""
        run = self.run()
        return displayed_status(run, self.live() if run.attempts else None)

    def log(self) -> bytes:
        """What the script printed."""
        with open(self.directory.log, "rb") as file:
            return file.read()

    def events(self) -> list[str]:
        """The kinds of its events, oldest first."""
        return [str(event["event"]) for event in read_lines(self.directory.file("events.jsonl"))]

    def metrics(self) -> list[JsonObject]:
        """The lines of metrics.jsonl."""
        return read_lines(self.directory.file("metrics.jsonl"))

    def reports(self) -> list[str]:
        """What its script wrote into the ledger."""
        return self.sandbox.ledger.reports(self.id)

    def directory_text(self, name: str) -> str:
        """The content of a file of its directory."""
        with open(self.directory.file(name), encoding="utf-8") as file:
            return file.read()

    def living_reporters(self) -> list[int]:
        """Its processes that wrote into the ledger and are still alive; zombies count as dead."""
        pids = {entry.pid for entry in self.sandbox.ledger.entries(self.id)}
        return [pid for pid in pids if (identity := identify(pid)) is not None and is_alive(identity)]

    def ask(self, request: Request) -> None:
        """Sends a request, as a front end does."""
        self.directory.append_request(request)

    def script(self) -> Identity | None:
        """The script's process, dead or alive, as recorded in script.lock."""
        recorded = self.directory.script_identity()
        return None if recorded is None else Identity(recorded[1], recorded[2])

    def guardian(self) -> Identity | None:
        """The process that holds the run's lock, apart from script, supervisor and fork server."""
        known = processes.with_environment(self.sandbox.folder)
        holders = processes.holders(self.directory.file("lock"), known)
        others = {self.script(), self.sandbox.supervisor(), self.sandbox.fork_server()}
        return next((identity for identity in holders if identity not in others), None)

    def is_watched(self) -> bool:
        """Whether a guardian waits for the end of its script, and so will know the exit code."""
        guardian, script = self.guardian(), self.script()
        return guardian is not None and script is not None and processes.watches(guardian, script)

    def wait(
        self, condition: Callable[[], ValueT | None], expected: str, *, seconds: float = PATIENCE_SECONDS
    ) -> ValueT:
        """Waits; fails with a report on the whole store."""
        return wait_until(condition, f"run {self.id}: {expected}", seconds=seconds, report=self.sandbox.describe_store)

    def wait_for(self, *statuses: Status, seconds: float = PATIENCE_SECONDS) -> Run:
        """Waits until it has one of these statuses."""
        self.wait(lambda: self.status() in statuses, f"{' or '.join(statuses)}", seconds=seconds)
        return self.run()

    def wait_for_end(self, *, seconds: float = PATIENCE_SECONDS) -> Run:
        """Waits until it has ended."""
        return self.wait_for(*ENDED, seconds=seconds)

    def end(self, *, seconds: float = PATIENCE_SECONDS) -> Ended:
        """Its end, waited for."""
        state = self.wait_for_end(seconds=seconds).state
        assert isinstance(state, Ended)
        return state

    def outcome(self, *, seconds: float = PATIENCE_SECONDS) -> tuple[Status, int | None, str | None]:
        """Status, exit code and signal of its end, waited for."""
        end = self.end(seconds=seconds)
        return end.status, end.exit_code, end.signal

    def wait_until_it_reports(self, line: str, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Waits until its script has written this into the ledger."""
        self.wait(lambda: line in self.reports(), f"{line!r} in the ledger", seconds=seconds)


class Sandbox:
    """A state directory below `folder`, the user's config.toml and a ledger, where commands find them too."""

    def __init__(self, folder: str, *, config: bool = True, root: str | None = None, launcher: str = LOCAL) -> None:
        """`config` False: config.toml was written by another process of the test."""
        self.folder = folder
        self.launcher = launcher
        self.home = Home(root or os.path.join(folder, "backprop"), HOST)
        self.home.prepare()
        self.config_path = os.path.join(folder, "config", "backprop", "config.toml")
        os.makedirs(os.path.dirname(self.config_path), exist_ok=True)
        if config:
            self.allow(3)
        self.ledger = Ledger(os.path.join(folder, "ledger"))
        self.process = SupervisorProcess(home=self.home, config_path=self.config_path)

    def allow(self, max_parallel: int) -> None:
        """Sets how many runs may be active."""
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(f'max_parallel = {max_parallel}\nmin_free_ram_gb = 0\n[gpu]\nprobe = "none"\n')
            file.write("[governor]\nstarts_per_minute = 0\nmax_load_per_core = 0\nmin_free_disk_gb = 0\n")

    def queue(
        self, *command: str, environment: dict[str, str] | None = None, run_id: str | None = None, **spec: Any
    ) -> Submitted:
        """Queues a run without waking a supervisor."""
        now = time.time()
        run_id = run_id or self.new_id()
        cwd = os.path.join(self.folder, f"cwd-{run_id}")
        os.makedirs(cwd, exist_ok=True)
        fields = {"script": None, "cwd": cwd, "limits": NO_LIMITS, "launcher": self.launcher} | spec
        run = Run(
            id=run_id,
            name=run_id,
            host=self.home.host,
            created_at=now,
            position=now,
            spec=Spec(command=command, **fields),
            state=Queued(since=now),
        )
        variables = dict(os.environ if environment is None else environment) | {VARIABLE: self.ledger.path}
        return Submitted(self, create(self.home, run, variables, time=now))

    def submit(
        self, *command: str, environment: dict[str, str] | None = None, run_id: str | None = None, **spec: Any
    ) -> Submitted:
        """Queues a run and wakes the supervisor, as a front end does."""
        submitted = self.queue(*command, environment=environment, run_id=run_id, **spec)
        self.call()
        return submitted

    def submitted(self, run_id: str) -> Submitted:
        """A run that another process queued."""
        return Submitted(self, RunDirectory(self.home.run_folder(run_id)))

    @staticmethod
    def new_id() -> str:
        return secrets.token_hex(4)

    def call(self) -> None:
        """Wakes or starts the supervisor, as every command does that finds unfinished runs."""
        self.process.call()

    def supervisor(self) -> Identity | None:
        """The process that signed the lease, if it is alive."""
        owner = lease_owner(self.home)
        identity = None if owner is None else identify(owner[0])
        return identity if identity is not None and is_alive(identity) else None

    def fork_server(self) -> Identity | None:
        """The supervisor's child that forks guardians."""
        supervisor = self.supervisor()
        pids = [] if supervisor is None else children(supervisor.pid)
        return next((identify(pid) for pid in pids if processes.comm(pid) == "backprop-forker"), None)

    def index(self) -> JsonObject:
        """The records of experiments.json by id; empty without one."""
        content = read_object(self.home.index)
        return {} if content is None else content["experiments"]  # type: ignore[return-value]

    def markers(self) -> list[str]:
        """The runs that are unfinished or not indexed."""
        return os.listdir(self.home.active)

    def wait_until(
        self, condition: Callable[[], ValueT | None], expected: str, *, seconds: float = PATIENCE_SECONDS
    ) -> ValueT:
        """Waits; fails with a report on the whole store."""
        return wait_until(condition, expected, seconds=seconds, report=self.describe_store)

    def wait_until_all_is_indexed(self) -> None:
        self.wait_until(lambda: not self.markers(), "every run ended and indexed")

    def wait_until_nothing_runs(self) -> None:
        """Waits until at most the supervisor, its fork server and a guardian without a run are left."""
        self.wait_until(lambda: not self._left(), "nothing left over")

    def _left(self) -> list[Identity]:
        server = self.fork_server()
        spares = () if server is None else descendants(server.pid)
        waiting = {identify(pid) for pid in spares if processes.comm(pid) == "backprop-spare"}
        own = {self.supervisor(), server, *waiting}
        return [identity for identity in processes.with_environment(self.home.root) if identity not in own]

    def describe_store(self) -> str:
        """A report on the whole store, for a failing test."""
        lines = [f"markers {self.markers()}"]
        lines += [processes.describe(identity) for identity in processes.with_environment(self.home.root)]
        for run_id in os.listdir(self.home.runs):
            lines.append(f"--- runs/{run_id}")
            for name in ("run.json", "live.json", "events.jsonl", "script.lock", "requests.jsonl"):
                lines.append(f"{name}: {_tail(os.path.join(self.home.runs, run_id, name), 4000)}")
            lines.append(f"ledger: {self.ledger.entries(run_id)}")
        lines.append(f"supervisor.log: {_tail(self.home.supervisor_log, 4000)}")
        return "\n".join(lines)

    def close(self) -> None:
        """Kills every process of this store."""
        processes.kill_processes_of_store(self.home.root)
        reap_ended()


def _tail(path: str, size: int) -> str:
    if not os.path.isfile(path):
        return "(none)" if not os.path.lexists(path) else "(no file)"
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()[-size:]
    except FileNotFoundError:
        return "(none)"
