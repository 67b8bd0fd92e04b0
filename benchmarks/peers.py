"""Other queues in the same rounds as ours: until a job begins, what enqueuing it takes, and the gap between two jobs.

Measured are those on PATH: task-spooler (`tsp`), gq-local (`gq`) and gpuqu (`gpuq`). The last two need GPUs, at
least two. Every job appends the time to a file, so all of them are measured in the same way. The gaps are those after
a blocked queue is opened: no queue is filled while it works.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks.measurement import Plan, Result, Sample, interleaved, pooled, sample_result
from benchmarks.sandbox import BARE_PYTHON, COMMAND, Sandbox, open_sandbox, wait_until
from benchmarks.timing import MILLISECONDS, seconds

SLOTS, JOBS, GAP_ROUNDS = 2, 40, 2
ROUNDS = 11
OURS = "backprop-tui"
POLL_SECONDS = "0.01"  # of gpuqu, which looks every 2 s by default
_GO_ON = "while [ -e {gate} ]; do sleep 0.02; done"
_TELL_TIME = "date +%s.%N >> {times}"


class NotMeasured(Exception):
    """A queue is not installed, or does not work here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How to enqueue a job, and where its jobs write when they began."""

    name: str
    folder: str
    enqueue: tuple[str, ...]
    environment: Mapping[str, str]
    slots: int = SLOTS
    enqueued: list[float] = field(default_factory=list)  # seconds that each command took

    @property
    def times(self) -> str:
        return os.path.join(self.folder, f"{self.name}.times")

    def add(self, script: str) -> float:
        return seconds((*self.enqueue, "sh", "-c", script), self.environment)

    def began(self) -> list[float]:
        try:
            with open(self.times, encoding="ascii") as file:
                return [float(line) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def launch(self) -> float:
        """Returns the time from the start of the command until its job has begun."""
        before, start = len(self.began()), time.time()
        self.enqueued.append(self.add(_TELL_TIME.format(times=self.times)))
        wait_until(lambda: len(self.began()) > before, f"a job of {self.name}")
        return self.began()[-1] - start

    def gaps(self) -> Sample:
        """Returns the times between the start of each job and the one that takes its slot."""
        before, gate = len(self.began()), os.path.join(self.folder, f"{self.name}.gate")
        with open(gate, "w", encoding="ascii"):
            for _ in range(self.slots):
                self.add(_GO_ON.format(gate=gate))
            for _ in range(JOBS):
                self.add(_TELL_TIME.format(times=self.times))
            os.unlink(gate)
        wait_until(lambda: len(self.began()) >= before + JOBS, f"the jobs of {self.name}")
        times = sorted(self.began()[before:])
        pairs = zip(times, times[self.slots :], strict=False)
        return Sample(tuple(after - earlier for earlier, after in pairs))


def measure(plan: Plan) -> list[Result]:
    """Measures each queue that works here, and names the others."""
    rounds, missing = min(plan.rounds, ROUNDS), []
    queues: list[Queue] = []
    with ExitStack() as stack:
        sandbox = stack.enter_context(open_sandbox(parallel=SLOTS + 1))
        sandbox.keep_supervisor()  # takes one of the slots
        for make in (_ours, _task_spooler, _gq_local, _gpuqu):
            try:
                queue = stack.enter_context(make(sandbox))
                queue.launch()
                queues.append(queue)
            except (NotMeasured, RuntimeError, OSError) as error:
                missing.append(Result.missing(f"{_NAMES[make]}: launch, enqueue, slot gap", str(error)))
        launches: dict[str, Callable[[], float]] = {queue.name: queue.launch for queue in queues}
        launches["python"] = lambda: seconds(BARE_PYTHON, sandbox.environment)
        samples = interleaved(rounds, launches)
        gaps: dict[str, list[Sample]] = {queue.name: [] for queue in queues}
        for _ in range(GAP_ROUNDS):
            for queue in queues:
                gaps[queue.name].append(queue.gaps())
    python = samples["python"].median
    return [*(result for queue in queues for result in _results(queue, samples, gaps, python)), *missing]


def _results(
    queue: Queue, samples: Mapping[str, Sample], gaps: Mapping[str, Sequence[Sample]], python: float
) -> Iterator[Result]:
    gap = pooled(gaps[queue.name]).scaled(MILLISECONDS)
    enqueued = Sample(tuple(queue.enqueued[1:]))
    for what, sample in (("launch", samples[queue.name]), ("enqueue", enqueued)):
        remark = f"{sample.median * MILLISECONDS:.1f} ms; Python {python * MILLISECONDS:.1f}"
        yield sample_result(f"{queue.name}: {what}", sample.scaled(1 / python), "starts", remark=remark)
    remark = f"p99 {gap.quantile(0.99):.1f} ms; {queue.slots} slots"
    yield sample_result(f"{queue.name}: slot gap", gap, "ms", remark=remark)


@contextmanager
def _ours(sandbox: Sandbox) -> Iterator[Queue]:
    enqueue = (COMMAND, "run", "-d", "--")
    yield Queue(name=OURS, folder=sandbox.work, enqueue=enqueue, environment=sandbox.environment)


@contextmanager
def _task_spooler(sandbox: Sandbox) -> Iterator[Queue]:
    program = _program("tsp")
    environment = {
        **os.environ,
        "TS_SOCKET": os.path.join(sandbox.work, "tsp.socket"),
        "TS_SLOTS": str(SLOTS),
        "TMPDIR": sandbox.work,
    }
    try:
        yield Queue(name="task-spooler", folder=sandbox.work, enqueue=(program, "-n"), environment=environment)
    finally:
        subprocess.run([program, "-K"], env=environment, check=False, stdout=subprocess.DEVNULL)


@contextmanager
def _gq_local(sandbox: Sandbox) -> Iterator[Queue]:
    program, slots = _program("gq"), _gpus()
    folders = {name: os.path.join(sandbox.work, name) for name in ("GQ_DATA_DIR", "GQ_RUNTIME_DIR")}
    for folder in folders.values():
        os.mkdir(folder, 0o700)
    environment = {**os.environ, **folders, "GQ_ALLOW_ROOT": "1", "GQ_FAIL_FAST_COUNT": "0"}
    enqueue = (program, "run", "-g", "1")
    try:
        yield Queue(name="gq-local", folder=sandbox.work, enqueue=enqueue, environment=environment, slots=slots)
    finally:
        subprocess.run([program, "daemon", "stop"], env=environment, check=False, stdout=subprocess.DEVNULL)


@contextmanager
def _gpuqu(sandbox: Sandbox) -> Iterator[Queue]:
    program, slots = _program("gpuq"), _gpus()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "GPUQ_POLL_INTERVAL": POLL_SECONDS}
    folder = os.path.join(sandbox.work, "gpuq")
    command = (program, "serve", "--data", folder, "--port", str(port))
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, cwd=sandbox.work, stdout=quiet, stderr=quiet) as server:
        try:
            wait_until(lambda: server.poll() is not None or _answers(port), "gpuqu's server")
            enqueue = (program, "submit", "--port", str(port), "--fallback-wait", "0", "--")
            yield Queue(name="gpuqu", folder=sandbox.work, enqueue=enqueue, environment=environment, slots=slots)
        finally:
            server.terminate()


_NAMES = {_ours: OURS, _task_spooler: "task-spooler", _gq_local: "gq-local", _gpuqu: "gpuqu"}


def _program(name: str) -> str:
    program = shutil.which(name)
    if program is None:
        raise NotMeasured("not installed")
    return program


def _gpus() -> int:
    """The number of GPUs, each of which is a slot."""
    listed = subprocess.run([_program("nvidia-smi"), "-L"], capture_output=True, check=False).stdout
    count = listed.count(b"GPU ")
    if count < SLOTS:
        raise NotMeasured(f"installed, but needs {SLOTS} GPUs")
    return count


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
