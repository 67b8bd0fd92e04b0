"""What was asked of a run, to JSON and back: the private part of run.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.domain.run import Dependency, Process, Spec, StopPlan
from backprop_tui.domain.until import parse_until
from backprop_tui.store import fields
from backprop_tui.store.fields import JsonObject

# Said in the public part already, under the same names.
PUBLIC_FIELDS = ("command", "script", "cwd", "launcher", "framework")


def encode_spec(spec: Spec) -> JsonObject:
    """Everything of the spec that the public part does not say."""
    plain = asdict(spec) | {"until": [str(one) for one in spec.until]}
    return {name: value for name, value in plain.items() if name not in PUBLIC_FIELDS}


def decode_spec(public: Mapping[str, Any], private: Mapping[str, Any]) -> Spec:
    """The inverse of `encode_spec`, with what the public part says.

    Raises:
        WrongField: a field is not what it must be.
    """
    return Spec(
        command=fields.texts(public, "command"),
        script=fields.optional_text(public, "script"),
        cwd=fields.text(public, "cwd"),
        framework=fields.text(public, "framework"),
        launcher=fields.text(public, "launcher"),
        max_run_seconds=fields.optional_number(private, "max_run_seconds"),
        total_seconds=fields.optional_number(private, "total_seconds"),
        until=tuple(parse_until(one) for one in fields.texts(private, "until")),
        checkpoint_every_seconds=fields.optional_number(private, "checkpoint_every_seconds"),
        resume_arg=fields.optional_text(private, "resume_arg"),
        checkpoint_globs=fields.texts(private, "checkpoint_globs"),
        log_patterns=fields.texts(private, "log_patterns"),
        understood_flags=fields.texts(private, "understood_flags"),
        found_resume_arg=fields.optional_text(private, "found_resume_arg"),
        retries=fields.integer(private, "retries"),
        gpus=fields.optional_integer(private, "gpus"),
        gpu_ids=fields.texts(private, "gpu_ids"),
        visible_gpus=None if private.get("visible_gpus") is None else fields.texts(private, "visible_gpus"),
        gpu_probe=fields.text(private, "gpu_probe"),
        after=tuple(
            Dependency(run=fields.text(one, "run"), any_end=bool(one.get("any_end")))
            for one in fields.objects(private, "after")
        ),
        key=fields.optional_text(private, "key"),
        python_origin=fields.optional_text(private, "python_origin"),
        env=tuple((str(name), None if value is None else str(value)) for name, value in private.get("env") or ()),
        stop=_decode_stop(fields.nested(private, "stop")),
        process=_decode_process(fields.nested(private, "process")),
        limits=_decode_limits(fields.nested(private, "limits")),
    )


def _decode_stop(source: JsonObject) -> StopPlan:
    return StopPlan(
        stop_signal=fields.text(source, "stop_signal"),
        grace_seconds=fields.number(source, "grace_seconds"),
        warn_signal=fields.optional_text(source, "warn_signal"),
        warn_seconds=fields.number(source, "warn_seconds"),
    )


def _decode_process(source: JsonObject) -> Process:
    return Process(
        umask=fields.integer(source, "umask"),
        nice=fields.integer(source, "nice"),
        rlimits=tuple((str(name), int(soft), int(hard)) for name, soft, hard in source.get("rlimits") or []),
    )


def _decode_limits(source: JsonObject) -> RunLimits:
    gpu_memory = source.get("gpu_memory_limit")
    return RunLimits(
        min_free_ram_bytes=fields.integer(source, "min_free_ram_bytes"),
        max_load_per_core=fields.number(source, "max_load_per_core"),
        min_free_disk_bytes=fields.integer(source, "min_free_disk_bytes"),
        max_parallel=fields.optional_integer(source, "max_parallel"),
        gpu_min_free_vram_bytes=fields.integer(source, "gpu_min_free_vram_bytes"),
        gpu_max_temp_celsius=fields.number(source, "gpu_max_temp_celsius"),
        gpu_resume_margin_celsius=fields.number(source, "gpu_resume_margin_celsius"),
        gpu_memory_limit=None if gpu_memory is None else MemoryLimit(**gpu_memory),
        on_overheat=fields.text(source, "on_overheat"),
        on_nan=fields.text(source, "on_nan"),
        max_pause_seconds=fields.number(source, "max_pause_seconds"),
    )
