"""A real Slurm cluster of two nodes on this machine, for tests: its own ports, key and directory, and no privileges."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from backprop_tui.launchers import supervisor_process
from tests.slurm.configuration import write_configuration
from tests.support import cluster_supervisor, processes
from tests.support.waiting import ValueT, wait_until

PROGRAMS = ("sbatch", "slurmctld", "slurmd", "munged")
NODES = ("n1", "n2")
# Debian puts daemons where the PATH of a user does not lead.
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
COMMAND_SECONDS = 30.0


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCH_PATH) is None]


class SlurmCluster:
    """Controller, two nodes and the key service: `start` before use, `stop` in any case.

    The daemons die with the thread that started them, where `setpriv` exists: not even a killed pytest leaves them.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        """The directory is the cluster's own; `settings` replaces lines of its slurm.conf."""
        self.directory = directory
        self.settings = dict(settings or {})
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._has_lost_controller = False  # since the last reset

    @property
    def environment(self) -> dict[str, str]:
        """What leads a command of Slurm to this cluster: to be added to the environment of a subprocess."""
        return {"SLURM_CONF": str(self.directory / "slurm.conf")}

    def log_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes this process one on a login node."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(supervisor_process, "_PROGRAM", cluster_supervisor.__file__)

    @property
    def process_ids(self) -> dict[str, int]:
        """Of the living daemons, by name: munged, slurmctld, n1, n2."""
        return {name: daemon.pid for name, daemon in self._daemons.items() if daemon.poll() is None}

    def start(self) -> None:
        write_configuration(self.directory, NODES, self.settings)
        (self.directory / "state").mkdir()
        for node in NODES:
            (self.directory / f"spool-{node}").mkdir()
        self._start_munged()
        self.restart_controller(wait=False)
        for node in NODES:
            self.restart_node(node, wait=False)
        for node in NODES:
            self.wait_for_node(node, "idle")

    def stop(self) -> None:
        """Ends the jobs and every process of this cluster, whatever state it is in."""
        try:
            if len(self.process_ids) == 2 + len(NODES):
                self.cancel_all()  # which also reaches processes that have emptied their environment
        finally:
            for daemon in self._daemons.values():
                daemon.kill()
                daemon.wait()
            self._kill_jobs(*NODES)

    def run(self, *command: str, check: bool = True, **environment: str) -> str:
        """The output of a command of Slurm, without the line end.

        Raises:
            AssertionError: it failed, and `check` is true.
        """
        result = subprocess.run(
            command,
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            cwd=self.directory,
            check=False,
        )
        assert not check or result.returncode == 0, f"{command} returned {result.returncode}: {result.stdout}"
        return result.stdout.rstrip("\n")

    def submit(self, script: str, *options: str) -> str:
        """Submits the lines of a shell script and returns the job's id; its output is read by `output`."""
        path = self.directory / "script.sh"
        path.write_text(f"#!/bin/bash\n{script}\n")
        log = f"--output={self.directory}/job-%j.log"
        return self.run("sbatch", "--parsable", "--open-mode=append", log, *options, str(path))

    def output(self, job: str) -> str:
        """What the job has printed so far."""
        path = self.directory / f"job-{job}.log"
        return path.read_text() if path.exists() else ""

    def job(self, job: str) -> dict[str, str]:
        """The fields of `scontrol show job`; empty when Slurm has forgotten the job or the controller is away."""
        text = self.run("scontrol", "show", "job", "-o", job, check=False)
        return dict(field.partition("=")[::2] for field in text.split() if "=" in field)

    def state(self, job: str) -> str:
        """Such as PENDING; empty for an unknown job."""
        return self.job(job).get("JobState", "")

    def wait_for_state(self, job: str, *states: str, seconds: float = 30.0) -> str:
        """Waits until the job is in one of these states, and returns it."""

        def reached() -> str | None:
            state = self.state(job)
            return state if state in states else None

        return self.wait_until(reached, f"job {job} in {states}", seconds=seconds)

    def wait_for_output(self, job: str, text: str, seconds: float = 30.0) -> str:
        """Waits until the job has printed this, and returns all that it has printed."""

        def printed() -> str | None:
            output = self.output(job)
            return output if text in output else None

        return self.wait_until(printed, f"job {job} prints {text!r}", seconds=seconds)

    def wait_for_node(self, node: str, *states: str, seconds: float = 60.0) -> None:
        """States as `sinfo` writes them, such as idle, mixed, allocated and down."""
        self.wait_until(lambda: self.node_state(node) in states, f"node {node} is {states}", seconds=seconds)

    def node_state(self, node: str) -> str:
        """Without the marks that `sinfo` adds, such as the star of a node that does not answer; empty if unknown.

        Asks for all nodes: of a single one, Slurm 22.05 shows the CPUs that were in use when it last counted them for
        somebody else, so that an idle node stays "mixed".
        """
        lines = self.run("sinfo", "-h", "-N", "-o", "%N %T", check=False).splitlines()
        states = dict(line.partition(" ")[::2] for line in lines)
        return states.get(node, "").rstrip("*~#!%$@^-+")

    def wait_until(self, condition: Callable[[], ValueT | None], expected: str, *, seconds: float = 30.0) -> ValueT:
        """As `tests.support.waiting.wait_until`, with the state of the cluster in the error."""
        return wait_until(condition, expected, seconds=seconds, report=self.describe)

    def starts_of(self, job: str) -> int:
        """How often the controller has started the job, by its log."""
        pattern = rf"Allocate(?:d)? JobId={job}\b|sched: .*start.*JobId={job}\b"
        return len(re.findall(pattern, (self.directory / "slurmctld.log").read_text(errors="replace")))

    def describe(self) -> str:
        """Queue, nodes and the ends of the logs."""
        parts = [self.run("squeue", check=False), self.run("sinfo", "-N", "-l", check=False)]
        logs = sorted(self.directory.glob("*.log"))
        return "\n".join([*parts, *(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)])

    def cancel_all(self) -> None:
        """Kills every job and waits until none is left, running or completing."""

        def is_empty() -> bool:
            answer = self.run("squeue", "-h", "-o", "%A", check=False).split()
            jobs = [word for word in answer if word.isdecimal()]  # and not the words of an error
            if jobs:
                self.run("scancel", "--full", "--signal=KILL", *jobs, check=False)
                self.run("scancel", *jobs, check=False)
            return not answer

        self.wait_until(is_empty, "no job is left")

    def kill_controller(self) -> None:
        """Kills it as a power failure would: jobs that it has not saved (`wait_until_saved`) start twice, or vanish."""
        self._kill("slurmctld")
        self._has_lost_controller = True

    def wait_until_saved(self, job: str) -> None:
        """Waits until the controller has saved what it knows now; it does so up to 5 seconds after a change."""
        mark = f"saved-{time.monotonic_ns()}"
        self.run("scontrol", "update", f"JobId={job}", f"AdminComment={mark}")
        path = self.directory / "state" / "job_state"
        self.wait_until(lambda: path.exists() and mark.encode() in path.read_bytes(), "the controller has saved")

    def restart_controller(self, *, wait: bool = True) -> None:
        """With the state that it has saved; `wait` for its first answer."""
        self._start("slurmctld", "slurmctld", "-D")
        if wait:
            self.wait_until(lambda: "is UP" in self.run("scontrol", "ping", check=False), "the controller answers")

    def kill_node(self, node: str, *, with_jobs: bool = False) -> None:
        """Kills the node's daemon; its jobs run on unless `with_jobs`, which is what a power failure does."""
        self._kill(node)
        if with_jobs:
            self._kill_jobs(node)

    def declare_down(self, node: str) -> None:
        """What the controller does about half a minute after it has lost the node: requeues its jobs, or fails them."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def restart_node(self, node: str, *, wait: bool = True) -> None:
        self._start(node, "slurmd", "-D", "-N", node)
        if wait:
            self.wait_for_node(node, "idle", "mixed", "allocated")

    def reset(self) -> None:
        """Back to the state after `start`: restarts what a test has killed, and leaves no job."""
        if self._has_lost_controller:  # the new one may take what jobs had for in use, for a minute after their end
            self.stop()
            shutil.rmtree(self.directory)
            self.directory.mkdir()
            self._has_lost_controller = False
            self.start()
            return
        for node in NODES:
            if node not in self.process_ids:
                self.restart_node(node)
        self.cancel_all()
        for node in NODES:
            if self.node_state(node) in ("down", "drained"):
                self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
            self.wait_for_node(node, "idle", "planned")  # for a job that is gone, until the next look at the queue

    def left_processes(self) -> list[str]:
        """What carries the name of this cluster's configuration in its environment, daemons included."""
        return [processes.describe(each) for each in processes.with_environment(self.environment["SLURM_CONF"])]

    def _start_munged(self) -> None:
        key, socket = self.directory / "munge.key", self.directory / "munge"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = (f"--{kind}-file={self.directory}/munged.{kind}" for kind in ("pid", "log", "seed"))
        # Forced, since only its user can look into the directory: munged wants a socket for everybody.
        self._start("munged", "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={socket}", *files)
        self.wait_until(socket.exists, "munged listens")

    def _start(self, name: str, program: str, *arguments: str) -> None:
        path = shutil.which(program, path=SEARCH_PATH)
        assert path, f"{program} is not installed"
        guard = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
        # Without the environment of the test that restarts it, which would pass for a process that the test has left.
        environment = {"PATH": SEARCH_PATH, "HOME": str(self.directory), "LC_ALL": "C", **self.environment}
        if name in NODES:
            environment["SLURMD_NODENAME"] = name
        with (self.directory / f"{name}.out").open("ab") as output:
            self._daemons[name] = subprocess.Popen(
                [*guard, path, *arguments],
                env=environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _kill(self, name: str) -> None:
        self._daemons[name].kill()
        self._daemons[name].wait()

    def _kill_jobs(self, *nodes: str) -> None:
        """Kills what the nodes started, by its environment: the steps inherit that of the node's daemon."""
        started = {each for node in nodes for each in processes.with_environment(f"SLURMD_NODENAME={node}")}
        of_cluster = processes.with_environment(self.environment["SLURM_CONF"])
        killed = sorted(started.intersection(of_cluster), key=lambda each: each.pid)
        # All at once, as far as they can tell: none acts on the death of another.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for identity in killed:
                processes.kill(identity, number)
