"""docs/json.md documents every key and value in the JSON of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.lifecycle import Outcome, finish_attempt
from backprop_tui.domain.resume_verdict import ResumeVerdict
from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuHealth
from backprop_tui.store.records import public
from tests.store.test_records import full_run

WORDS = frozenset(re.findall(r"\w+", (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")))
NAMED_BY_SCRIPTS = frozenset({"metrics", "best"})  # their keys are the names of metrics


def keys_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_in(list(inner.values()) if key in NAMED_BY_SCRIPTS and isinstance(inner, dict) else inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from keys_in(inner)


def test_every_key_of_a_run_is_documented() -> None:
    cause = Cause(kind="cuda_oom", evidence="e", advice="a", summary="s", line=7, retryable=True)
    ended = finish_attempt(
        full_run(), Outcome(status=Status.FAILED, exit_code=1, cause=cause), now=2000.5, resume_from=None
    )
    assert set(keys_in(public(ended, "/r"))) - WORDS == set()


def test_every_enum_value_is_documented() -> None:
    values = {str(member) for kind in (Status, ResumeVerdict, Check, GpuHealth) for member in kind}
    assert values - WORDS == set()
