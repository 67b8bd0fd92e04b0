"""The live record of a run to JSON and back."""

from __future__ import annotations

from dataclasses import asdict

from backprop_tui.domain.disk_use import DiskUse
from backprop_tui.domain.live import Clock, Live, Pause, Postponed, Stopping
from backprop_tui.domain.save_pace import SavePace
from backprop_tui.domain.status import Status
from backprop_tui.domain.times import iso
from backprop_tui.store import fields
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_codec import decode_checkpoint, decode_peak, decode_resume_check


def encode_live(live: Live) -> JsonObject:
    """The content of live.json."""
    checkpoints = [{**asdict(checkpoint), "saved_at": iso(checkpoint.saved_at)} for checkpoint in live.checkpoints]
    return {
        **asdict(live),
        "metrics": fields.encode_metrics(live.metrics),
        "best": fields.encode_best(live.best),
        "checkpoints": checkpoints,
    }


def decode_live(source: JsonObject) -> Live:
    """The inverse of `encode_live`.

    Raises:
        WrongField: a field is not what it must be.
    """
    return Live(
        attempt=fields.integer(source, "attempt"),
        runner_pid=fields.integer(source, "runner_pid"),
        script_pid=fields.optional_integer(source, "script_pid"),
        clock=_decode_clock(fields.nested(source, "clock")),
        time=fields.number(source, "time"),
        log_offset=fields.integer(source, "log_offset"),
        log_generation=fields.integer(source, "log_generation"),
        attempt_log_offset=fields.optional_integer(source, "attempt_log_offset") or 0,
        log_memory=fields.nested(source, "log_memory") or None,
        told_offset=fields.optional_integer(source, "told_offset"),
        requests_offset=fields.integer(source, "requests_offset"),
        step=fields.optional_integer(source, "step"),
        epoch=fields.optional_number(source, "epoch"),
        total_steps=fields.optional_integer(source, "total_steps"),
        total_epochs=fields.optional_integer(source, "total_epochs"),
        eta_seconds=fields.optional_number(source, "eta_seconds"),
        metrics=fields.decode_metrics(source, "metrics"),
        best=fields.decode_best(source, "best"),
        checkpoints=tuple(decode_checkpoint(one) for one in fields.objects(source, "checkpoints")),
        pause=_decode_pause(source),
        stopping=_decode_stopping(source),
        postponed=_decode_postponed(source),
        reached=fields.optional_text(source, "reached"),
        warned=bool(source.get("warned")),
        peak=decode_peak(fields.nested(source, "peak")),
        ram_bytes=fields.optional_integer(source, "ram_bytes"),
        cpu_percent=fields.optional_number(source, "cpu_percent"),
        vram_bytes=fields.optional_integer(source, "vram_bytes"),
        temperature_celsius=fields.optional_number(source, "temperature_celsius"),
        pace=_decode_pace(source),
        disk=_decode_disk(source),
        disk_warning=fields.optional_text(source, "disk_warning"),
        resume_check=decode_resume_check(source),
        problem=fields.optional_text(source, "problem"),
    )


def _decode_clock(source: JsonObject) -> Clock:
    return Clock(
        running_seconds=fields.number(source, "running_seconds"),
        paused_seconds=fields.number(source, "paused_seconds"),
        mark=fields.number(source, "mark"),
        boot_id=fields.text(source, "boot_id"),
    )


def _decode_pause(source: JsonObject) -> Pause | None:
    pause = fields.nested(source, "pause")
    if not pause:
        return None
    return Pause(since=fields.number(pause, "since"), by=fields.text(pause, "by"), reason=fields.text(pause, "reason"))


def _decode_disk(source: JsonObject) -> DiskUse | None:
    disk = fields.nested(source, "disk")
    if not disk:
        return None
    return DiskUse(
        mount=fields.text(disk, "mount"),
        free_bytes=fields.integer(disk, "free_bytes"),
        save_bytes=fields.integer(disk, "save_bytes"),
    )


def _decode_postponed(source: JsonObject) -> Postponed | None:
    postponed = fields.nested(source, "postponed")
    if not postponed:
        return None
    return Postponed(
        status=Status(fields.text(postponed, "status")),
        by=fields.text(postponed, "by"),
        reason=fields.text(postponed, "reason"),
        since=fields.number(postponed, "since"),
        deadline=fields.number(postponed, "deadline"),
    )


def _decode_pace(source: JsonObject) -> SavePace | None:
    pace = fields.nested(source, "pace")
    if not pace:
        return None
    return SavePace(
        last_at=fields.optional_number(pace, "last_at"),
        intervals=fields.numbers(pace, "intervals"),
        durations=fields.numbers(pace, "durations"),
        growth_bytes=tuple(int(figure) for figure in fields.numbers(pace, "growth_bytes")),
    )


def _decode_stopping(source: JsonObject) -> Stopping | None:
    stopping = fields.nested(source, "stopping")
    if not stopping:
        return None
    return Stopping(
        status=Status(fields.text(stopping, "status")),
        by=fields.text(stopping, "by"),
        reason=fields.text(stopping, "reason"),
        since=fields.number(stopping, "since"),
        stage=fields.integer(stopping, "stage"),
        deadline=fields.number(stopping, "deadline"),
        cause=fields.optional_text(stopping, "cause"),
        is_final=bool(stopping.get("is_final")),
    )
