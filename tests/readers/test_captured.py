"""Complete logs written by current frameworks are read as expected, with any chunk size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.readers.events import CheckpointSaved, MergedEvent, Progress
from backprop_tui.readers.log_reader import LogReader

HERE = Path(__file__).parent / "captured"
EXPECTED: dict[str, Any] = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
FOLDERS = sorted(path.parent.name for path in HERE.glob("*/output.log"))


def read(folder: str, chunk_bytes: int = 1 << 20) -> list[MergedEvent]:
    log = (HERE / folder / "output.log").read_bytes()
    reader = LogReader()
    values = [
        value for start in range(0, len(log), chunk_bytes) for value in reader.feed(log[start : start + chunk_bytes])
    ]
    return [*values, *reader.finish()]


def summary(values: list[MergedEvent]) -> dict[str, Any]:
    """The final state, and how often and at which steps each metric was reported."""
    progress = [value for value in values if isinstance(value, Progress)]

    def last(name: str) -> Any:
        return next((field for value in reversed(progress) if (field := getattr(value, name)) is not None), None)

    seen: dict[str, list[int | None]] = {}
    newest: dict[str, float] = {}
    for value in progress:
        for name, figure in value.metrics.items():
            seen.setdefault(name, []).append(value.step)
            newest[name] = figure
    return {
        "step": last("step"),
        "epoch": last("epoch"),
        "total_steps": last("total_steps"),
        "total_epochs": last("total_epochs"),
        "metrics": newest,
        "seen_at": {name: [len(steps), steps[0], steps[-1]] for name, steps in seen.items()},
        "checkpoints": [[value.path, value.step] for value in values if isinstance(value, CheckpointSaved)],
    }


def test_every_captured_log_has_an_expected_result() -> None:
    assert sorted(EXPECTED) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_captured_log_is_read_as_expected(folder: str) -> None:
    assert summary(read(folder)) == EXPECTED[folder]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000])
def test_the_chunk_size_does_not_change_what_is_read(folder: str, chunk_bytes: int) -> None:
    assert read(folder, chunk_bytes) == read(folder)


@pytest.mark.parametrize("folder", FOLDERS)
def test_steps_of_a_training_never_decrease(folder: str) -> None:
    steps = [value.step for value in read(folder) if isinstance(value, Progress) and value.step is not None]
    assert steps == sorted(steps)


@pytest.mark.parametrize("folder", FOLDERS)
def test_another_reader_can_resume_at_any_position(folder: str) -> None:
    log = (HERE / folder / "output.log").read_bytes()
    whole = read(folder)
    died, before = LogReader(), []
    for cut in range(0, len(log), 211):
        before += died.feed(log[max(0, cut - 211) : cut])
        memory = json.loads(json.dumps(died.memory()))
        after = LogReader(died.offset, memory=memory)
        assert before + after.feed(log[died.offset :]) + after.finish() == whole, cut
