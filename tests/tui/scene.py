"""A busy machine at a fixed moment: runs in every state, a sweep, a hot GPU, failures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.governor.governor_state import GovernorMode
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.live import Pause, Stopping
from backprop_tui.domain.run import Cause, Checkpoint, Gpu
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.presentation.known_run import KnownRun, LossCurve
from backprop_tui.probes.histories import History
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.snapshot import OpenRun, Snapshot
from tests.tui.charts.runs import chart_data, series
from tests.tui.snapshots import NOW, ended, gb, governor, gpu, queued, running, sample, snapshot

_HOT = {"check": "gpu_temperature", "figure": 84.0, "limit": 80.0, "gpu": 1}
_HOLDS: tuple[dict[str, Any], ...] = (
    {"check": "gpu_count", "figure": 0, "limit": 4, "message": "needs 4 GPUs, 0 free"},
    _HOT | {"message": "GPU 1 too hot, 84 °C, starts below 80"},
    {
        "check": "gpu_memory",
        "figure": 9e8,
        "limit": 2.5e9,
        "gpu": 3,
        "message": "GPU 3 claimed by wav2vec-ft, still loading",
    },
)
_OOM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 1 has a total capacity of 79.6 GiB "
    "of which 1.12 GiB is free."
)


def scene(*, gpus: int = 4, logs: Path | None = None, **fields: Any) -> Snapshot:
    """The whole machine; with `logs` the runs have logs, which are written to that directory."""
    runs = [*active(), *waiting(), *over()]
    if logs is not None:
        runs = [_with_log(run, logs) for run in runs]
    reasons = tuple(
        HoldReason(check=Check(hold["check"]), message=hold["message"], figure=hold["figure"], limit=hold["limit"])
        for hold in _HOLDS[1:]
    )
    known: dict[str, Any] = {
        "total": 214,
        "sample": sample(*many_gpus(gpus)),
        "governor": governor(state=GovernorMode.HOLDING, reasons=reasons, waiting=4),
        "supervisor_pid": 4121,
        "histories": {
            f"GPU-{index}": History(
                utilization=tuple(86.0 + 8 * math.sin(index + place) for place in range(60)),
                memory=(76.0,) * 60,
                celsius=(71.0,) * 60,
            )
            for index in range(gpus)
        },
        "opened": OpenRun(run_id="7f3a2c", events=story()),
    }
    return snapshot(*runs, **(known | fields))


def active() -> list[KnownRun]:
    """Runs that are running, paused or stopping."""
    curve = LossCurve(name="loss", values=tuple(_losses(120, 2.2)))
    slow = LossCurve(name="loss", values=tuple(_losses(60, 0.5)))
    saved = Checkpoint(
        path="/home/anna/nanoGPT/out-lm-768/ckpt_38400.pt", step=38400, saved_at=NOW.wall - 70, size_bytes=1_400_000_000
    )
    hour: dict[str, Any] = {"spec": {"max_run_seconds": 3600.0}}
    return [
        _on(
            running(
                "7f3a2c",
                name="nano-lm-768",
                seconds=2592,
                step=38490,
                total_steps=60000,
                step_seconds=0.036,
                eta_seconds=774.4,
                curve=curve,
                metrics={"loss": 2.214, "val_loss": 2.342},
                checkpoints=(replace(saved, sound=True),),
                tags=("baseline", "h100"),
                note="wider MLP, cosine to 6e-5",
                ram_bytes=gb(21.4),
                vram_bytes=gb(61.2),
                cpu_percent=310.0,
                **_spec(max_run_seconds=3600.0, total_seconds=43200.0),
            ),
            0,
        ),
        _on(
            running(
                "b04d11",
                name="vit-b16-aug",
                seconds=900,
                step=28,
                total_steps=90,
                step_seconds=0.036,
                eta_seconds=2.2,
                curve=curve,
                metrics={"loss": 1.087},
                pause=Pause(since=NOW.wall - 130, by="heat", reason="too hot, 84 °C, continues below 80"),
                **hour,
            ),
            1,
        ),
        _on(
            running(
                "c9e0f7",
                name="llama-lora-r16",
                seconds=358,
                step=9200,
                total_steps=10000,
                step_seconds=0.6,
                eta_seconds=480.0,
                curve=curve,
                metrics={"loss": 1.402},
                **hour,
            ),
            2,
        ),
        _on(
            running(
                "d1a2b3",
                name="unet-seg-512",
                seconds=700,
                step=24,
                total_steps=50,
                metrics={"loss": 0.318},
                stopping=Stopping(
                    status=Status.STOPPED,
                    by="person",
                    reason="stopped by you",
                    since=NOW.wall - 8,
                    stage=2,
                    deadline=NOW.monotonic + 22,
                ),
                **hour,
            ),
            3,
        ),
        _on(running("e5c6d7", name="wav2vec-ft", seconds=7, **hour), 3),
        _on(
            running(
                "f00001",
                name="sweep: lr=1e-3 seed=1",
                group="sweep lr × seed",
                seconds=108,
                step=1800,
                total_steps=10000,
                step_seconds=0.27,
                eta_seconds=2214.0,
                curve=slow,
                metrics={"loss": 0.514},
            ),
            3,
        ),
    ]


def waiting() -> list[KnownRun]:
    """Waiting runs with their reasons."""
    sweep: dict[str, Any] = {"group": "sweep lr × seed"}
    return [
        queued("f00002", name="sweep: lr=1e-3 seed=2", queue_position=1, holds=(_HOLDS[2], _HOLDS[1]), **sweep),
        queued("f00003", name="sweep: lr=3e-4 seed=1", queue_position=2, **sweep),
        queued(
            "9d7712", name="qwen-sft-4gpu", queue_position=3, holds=_HOLDS, created_at=NOW.wall - 950, spec={"gpus": 4}
        ),
        queued(
            "5e1f20",
            name="eval-nano-lm",
            queue_position=4,
            holds=({"check": "dependency", "message": "after nano-lm-768"},),
        ),
    ]


def over() -> list[KnownRun]:
    """Ended runs."""
    oom = Cause(kind="cuda_oom", evidence=_OOM, advice="halve --batch-size (24), or give it a GPU of its own")
    gone = Cause(kind="file_not_found", evidence="FileNotFoundError: /data/imagenet/train.idx", advice="check the path")
    saved = Checkpoint(path="/m/rnnt.pt", step=41000, saved_at=NOW.wall - 3710, sound=True)
    sweep = "sweep lr × seed"
    hour = {"max_run_seconds": 3600.0}
    lowest = {"loss": Extreme(0.3921, 9800)}
    best = ended(
        "f00004",
        name="sweep: lr=3e-4 seed=2",
        group=sweep,
        ago=7200,
        metrics={"loss": 0.3921},
        best=lowest,
        step=10000,
    )
    boxed = ended("aa01f4", Status.TIMEBOXED, name="rnnt-large", ago=3700, step=41200, checkpoints=(saved,), spec=hour)
    return [
        _took(ended("aa01f2", Status.FAILED, name="vit-l16-384", ago=240, cause=oom, step=3), 551),
        _took(ended("aa01f3", Status.FAILED, name="data-prep-v2", ago=1860, cause=gone), 2),
        _took(best, 2467),
        _took(boxed, 3600),
        _took(ended("aa01f5", name="resnet50-base", ago=7300, metrics={"loss": 0.4127}, step=81000), 2892),
        _lost(),
    ]


def _lost() -> KnownRun:
    run = ended("aa01f6", Status.LOST, name="bert-mlm-long", ago=40000, step=118000)
    return replace(run, record=run.record | {"exit_code": None, "reason": "machine restarted about 03:12"})


def _took(known: KnownRun, seconds: float) -> KnownRun:
    return replace(known, record=known.record | {"duration_seconds": seconds})


def many_gpus(count: int) -> Sequence[GpuReading]:
    """GPU 1 is hot. Of more GPUs, GPU 6 is lost and GPU 7 is used by another user."""
    readings = [
        gpu(0),
        gpu(1, temperature_celsius=84.0, utilization_percent=0.0, memory_used_bytes=gb(74.9), power_watts=168.0),
    ]
    readings += [
        gpu(
            index,
            utilization_percent=93.0 - 5 * index,
            memory_used_bytes=gb(55 - 4 * index),
            power_watts=498.0 - 20 * index,
        )
        for index in range(2, count)
    ]
    if count > 6:
        readings[6] = gpu(6, health=GpuHealth.LOST, age_seconds=2000.0, problem="Xid 79, fallen off the bus")
    if count > 7:
        readings[7] = gpu(
            7, utilization_percent=12.0, processes=(GpuProcess(pid=40412, owner="mika", memory_bytes=gb(31.3)),)
        )
    return readings[:count]


def story() -> tuple[dict[str, Any], ...]:
    """The events of the first run, oldest first."""
    return tuple(
        {"event": event, "time": iso(NOW.wall - ago), "message": message}
        for ago, event, message in (
            (2700, "queued", "queued by anna"),
            (2660, "held", "start limit, next in 41s (governor.starts_per_minute 1)"),
            (2600, "admitted", "admitted: GPU 0 has 78.9 GB free, 41 °C"),
            (2592, "started", "attempt 1 started on GPU 0"),
            (1400, "paused", "paused for heat: GPU 0 at 86 °C"),
            (1270, "continued", "continued after 2m10s: GPU 0 at 79 °C"),
            (70, "checkpoint", "saved ckpt_38400.pt, 1.4 GB, intact"),
        )
    )


class SceneCharts:
    """Long curves for every run; the loss of the first run falls less."""

    async def read(self, run_ids: Sequence[str]) -> list[ChartData]:
        return [self._figures(run_id) for run_id in run_ids]

    def _figures(self, run_id: str) -> ChartData:
        to = 2.2 if run_id == "7f3a2c" else 1.1
        metrics = {
            "loss": series("loss", _losses(385, to), every=100, begun=NOW.wall - 2592),
            "val_loss": series("val_loss", _losses(38, to + 0.14), every=1000, begun=NOW.wall - 2592),
            "lr": series("lr", [min(1.0, place / 30) * 6e-4 * (1 - place / 700) for place in range(385)], every=100),
            "grad_norm": series("grad_norm", [0.5 + 2 * math.exp(-place / 60) for place in range(385)], every=100),
        }
        return chart_data(run_id, metrics)

    async def export(self, run_id: str, path: str) -> str:
        return path

    def close(self) -> None:
        """Nothing is open."""


def _losses(count: int, to: float) -> list[float]:
    """A falling curve with noise."""
    return [to + 5 * math.exp(-5 * place / count) + 0.05 * math.sin(place * 1.7) for place in range(count)]


def _spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def _on(known: KnownRun, index: int) -> KnownRun:
    """The same run on another GPU."""
    assert known.run is not None
    given = (Gpu(index=index, uuid=f"GPU-{index}"),)
    run = known.run.with_attempt(replace(known.run.attempt, gpus=given))
    return replace(known, run=run, record=known.record | {"gpus": [{"index": index, "uuid": f"GPU-{index}"}]})


def _with_log(known: KnownRun, logs: Path) -> KnownRun:
    path = logs / f"{known.id}.log"
    path.write_text(_log_of(known), encoding="utf-8")
    os.utime(path, (4e9, 4e9))  # never quiet: it was written when the test looks
    return replace(known, record=known.record | {"log_path": str(path)})


def _log_of(known: KnownRun) -> str:
    if known.id == "aa01f2":
        return (
            "Epoch 3:  12%|#1        | 151/1252 [01:44<12:31,  1.46it/s, loss=5.82]\n"
            "Traceback (most recent call last):\n"
            '  File "/home/anna/vit/train.py", line 212, in <module>\n    main(args)\n'
            f'  File "/home/anna/vit/model.py", line 88, in forward\n    attn = q @ k.transpose(-2, -1)\n{_OOM}\n'
        )
    if known.live is None or known.live.step is None:
        return ""
    lines = ["number of parameters: 123.59M\n"]
    for place in range(60):
        step = 37900 + 10 * place
        if step % 200 == 0:
            lines.append(
                f"step {step}: train loss 2.2052, val loss 2.3418\nsaving checkpoint to out-lm-768/ckpt_{step}.pt\n"
            )
        figures_of = f"loss {2.2 + 0.05 * math.sin(place):.4f}, time {118 + math.sin(place * 2):.2f}ms"
        lines.append(f"iter {step}: {figures_of}, mfu 39.{place:02}%\n")
    lines.append("Evaluating:  35%|███▌      | 70/200 [00:04<00:08, 15.9it/s]\n")
    return "".join(lines)
