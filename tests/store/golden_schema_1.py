"""The content of the golden files of schema version 1; they were written once, by `write`, and never change.

`python -m tests.store.golden_schema_1` writes them anew, which only makes sense before that version is released.
"""

from __future__ import annotations

import os

from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.domain.live import Clock, Live, Pause, Stopping
from backprop_tui.domain.requests import (
    ContinueRequest,
    EditRequest,
    NoticeRequest,
    PauseRequest,
    Request,
    StopRequest,
    TimeboxRequest,
)
from backprop_tui.domain.run import (
    Attempt,
    Cause,
    Checkpoint,
    Dependency,
    Ended,
    Git,
    Gpu,
    Peak,
    Process,
    Queued,
    Run,
    Running,
    Spec,
    Starting,
    StopPlan,
)
from backprop_tui.domain.status import Status
from backprop_tui.store.files import dump, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.index import update
from backprop_tui.store.records import encode_request, encode_run, public
from backprop_tui.store.run_directory import RunDirectory

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden", "schema_1")
WRITTEN_AT = "/home/ada/.local/share/backprop"
NOW = 1_800_000_000.25
BOOT = "0f2c7d1e-6a53-4f0b-9d5e-3c1f5b7a9e21"

SPEC = Spec(
    command=("/home/ada/.venv/bin/python", "train.py", "--lr", "0.1", "ünïcode \udcff"),
    script="/home/ada/train.py",
    cwd="/home/ada",
    framework="pytorch",
    launcher="local",
    max_run_seconds=600.0,
    total_seconds=7200.0,
    checkpoint_every_seconds=60.0,
    resume_arg="--resume={path}",
    checkpoint_globs=("ckpt/*.pt",),
    understood_flags=("--run-id", "--resume-from"),
    retries=2,
    gpus=1,
    gpu_ids=("GPU-1a2b",),
    visible_gpus=("0", "1"),
    gpu_probe="nvml",
    after=(Dependency(run="first", any_end=True),),
    key="nightly",
    python_origin="the active environment",
    stop=StopPlan(stop_signal="SIGTERM", grace_seconds=12.5, warn_signal="SIGUSR1", warn_seconds=60.0),
    process=Process(umask=0o027, nice=5, rlimits=(("RLIMIT_NOFILE", 1024, -1),)),
    limits=RunLimits(
        min_free_ram_bytes=2_000_000_000,
        max_load_per_core=1.5,
        min_free_disk_bytes=500_000_000,
        max_parallel=1,
        gpu_min_free_vram_bytes=3_000_000_000,
        gpu_max_temp_celsius=80.0,
        gpu_resume_margin_celsius=4.0,
        gpu_memory_limit=MemoryLimit(fraction=0.8),
        on_overheat="stop",
        on_nan="stop",
        max_pause_seconds=60.0,
    ),
)
CHECKPOINTS = (
    Checkpoint(path="/home/ada/ckpt/1.pt", step=100, saved_at=NOW - 60, size_bytes=1234, sound=True),
    Checkpoint(path="/home/ada/ckpt/2.pt", step=None, saved_at=NOW - 30),
)
FIRST = Attempt(
    number=1,
    started_at=NOW - 600,
    boot_id=BOOT,
    ended_at=NOW - 300,
    status=Status.TIMEBOXED,
    exit_code=1,
    gpus=(Gpu(index=1, uuid="GPU-1a2b"),),
    vram_claim_bytes=3_000_000_000,
    variables={"CUDA_VISIBLE_DEVICES": "GPU-1a2b"},
    running_seconds=290.5,
    paused_seconds=9.5,
)
SECOND = Attempt(
    number=2,
    started_at=NOW - 200,
    boot_id=BOOT,
    ended_at=NOW,
    status=Status.FAILED,
    signal="SIGKILL",
    resumed_from="/home/ada/ckpt/1.pt",
    running_seconds=200.0,
)
ENDED = Run(
    id="ended",
    name="digits",
    host="box",
    created_at=NOW - 700,
    position=NOW - 700,
    spec=SPEC,
    state=Ended(
        at=NOW,
        status=Status.FAILED,
        signal="SIGKILL",
        reason="SIGKILL",
        cause=Cause(kind="killed_by_signal", evidence="SIGKILL", advice="look in dmesg"),
    ),
    priority=3,
    group="sweep",
    tags=("a", "b"),
    note="a note",
    attempts=(FIRST, SECOND),
    checkpoints=CHECKPOINTS,
    step=200,
    epoch=2.5,
    total_steps=500,
    metrics={"loss": 0.5, "accuracy": 0.9},
    peak=Peak(ram_bytes=10, vram_bytes=20, temperature_celsius=61.0),
    git=Git(commit="8f3c0d", dirty=True),
    requests_offset=77,
)
SIMPLE = Spec(
    command=("/bin/true",),
    script=None,
    cwd="/tmp",
    max_run_seconds=None,
    limits=RunLimits(min_free_ram_bytes=4_000_000_000, gpu_min_free_vram_bytes=2_500_000_000),  # the defaults then
)
QUEUED = Run(
    id="queued",
    name="queued",
    host="box",
    created_at=NOW,
    position=NOW,
    spec=SIMPLE,
    state=Queued(since=NOW, reason="retry 1 of 2", not_before=NOW + 5, resume_from="/home/ada/ckpt/1.pt"),
)
BEGUN = Attempt(number=1, started_at=NOW, boot_id=BOOT)
STARTING = Run(
    id="starting",
    name="starting",
    host="box",
    created_at=NOW,
    position=NOW + 1,
    spec=SIMPLE,
    state=Starting(since=NOW),
    attempts=(BEGUN,),
)
RUNNING = Run(
    id="running",
    name="running",
    host="box",
    created_at=NOW,
    position=NOW + 2,
    spec=SIMPLE,
    state=Running(since=NOW),
    attempts=(BEGUN,),
)
RUNS = (ENDED, QUEUED, STARTING, RUNNING)
LIVE = Live(
    attempt=1,
    runner_pid=1000,
    script_pid=1001,
    clock=Clock(running_seconds=10.5, paused_seconds=2.0, mark=12345.678, boot_id=BOOT),
    time=NOW,
    log_offset=4096,
    log_generation=1,
    requests_offset=12,
    step=50,
    epoch=1.5,
    total_steps=500,
    metrics={"loss": 0.75},
    checkpoints=CHECKPOINTS,
    pause=Pause(since=NOW - 3, by="heat", reason="GPU 1 at 86 C"),
    stopping=Stopping(
        status=Status.TIMEBOXED,
        by="timebox",
        reason="at its limit of 10 min",
        since=NOW,
        stage=2,
        deadline=12350.5,
        cause="overheated",
    ),
    warned=True,
    peak=Peak(ram_bytes=10, vram_bytes=20, temperature_celsius=61.0),
    ram_bytes=9,
    cpu_percent=99.5,
    vram_bytes=19,
    temperature_celsius=60.0,
    problem="events.jsonl cannot be written: disk full?",
)
REQUESTS: tuple[Request, ...] = (
    PauseRequest(by="heat", reason="GPU 1 at 86 C"),
    ContinueRequest(by="person", reason="continued by you"),
    TimeboxRequest(max_run_seconds=1200.0),
    TimeboxRequest(max_run_seconds=None),
    EditRequest(name="other", tags=("c",), note="", priority=-1),
    EditRequest(),
    NoticeRequest(message="near its memory limit"),
    StopRequest(by="guard", reason="loss is nan", kill=True, cause="nan_loss"),
)


def write() -> None:
    """Writes the golden files."""
    home = Home(FOLDER, "box")
    home.prepare()
    for run in RUNS:
        os.makedirs(home.run_folder(run.id), exist_ok=True)
        record = encode_run(run, _path(run))
        write_atomically(RunDirectory(home.run_folder(run.id)).file("run.json"), dump(record), durable=False)
    live = RunDirectory(home.run_folder(RUNNING.id))
    live.write_live(LIVE)
    requests = b"".join(encode_request(request) + b"\n" for request in REQUESTS)
    write_atomically(live.file("requests.jsonl"), requests, durable=False)
    write_atomically(live.file("script.lock"), b"1 1001 987654\n", durable=False)
    write_atomically(RunDirectory(home.run_folder(QUEUED.id)).file("environment"), dump({"A": "\udcff"}), durable=False)
    update(home, {run.id: public(run, _path(run)) for run in RUNS})
    os.unlink(home.index_lock)


def _path(run: Run) -> str:
    return f"{WRITTEN_AT}/runs/{run.id}"


if __name__ == "__main__":
    write()
