"""The curves of a long metrics.jsonl are kept beside it: readers get the same values and read only the rest."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.store import metrics as metrics_module
from backprop_tui.store.metrics import MetricsCondenser, MetricsFile, read_metrics
from backprop_tui.store.run_directory import RunDirectory

LINES = 6000  # more than a series has buckets


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "CONDENSED_BYTES", 100_000)


def _line(number: int) -> bytes:
    """A curve with holes, a skipped part and a step back, as after a resume, and a metric that is printed rarely."""
    step = number if number < LINES // 2 else number - 500
    metrics: dict[str, float | str] = {"loss": "NaN" if number % 997 == 0 else 1 / (1 + number)}
    if number % 100 == 0:
        metrics["val_loss"] = math.sqrt(number)
    skipped = b'{"metrics": {}, "skipped_bytes": 9}\n' if number == LINES // 3 else b""
    return skipped + json.dumps({"time": f"t{number}", "step": step, "metrics": metrics}).encode() + b"\n"


def _write(path: Path, count: int = LINES) -> None:
    """Writes and condenses as a guardian, whose last write may have been cut."""
    condenser = MetricsCondenser(str(path))
    with path.open("ab") as file:
        for number in range(count):
            file.write(_line(number))
            if number % 500 == 0:
                file.flush()
                condenser.update(file.tell())
        file.write(b'{"step": 1, "metrics": {"loss"')


def _kept(path: Path) -> Path:
    return path.with_name("metrics.jsonl.condensed")


def _read(path: Path) -> dict[str, MetricSeries]:
    return dict(read_metrics(RunDirectory(str(path.parent))))


def test_the_curves_are_the_same_as_without_the_kept_ones(path: Path) -> None:
    _write(path)
    condensed = _read(path)
    assert _kept(path).exists()
    _kept(path).unlink()
    assert condensed == _read(path)
    assert condensed["loss"].count == LINES


def test_only_the_rest_of_the_file_is_read(path: Path) -> None:
    _write(path)
    end = json.loads(_kept(path).read_bytes())["end"]
    content = path.read_bytes()
    path.write_bytes(b"x" * (end - 100) + content[end - 100 :])
    assert _read(path)["loss"].count == LINES
    assert MetricsFile(str(path)).read()["loss"].count == LINES


def test_another_condenser_continues_where_the_last_one_was_killed(path: Path) -> None:
    _write(path, LINES // 2)
    path.write_bytes(path.read_bytes().rpartition(b"\n")[0] + b"\n")  # the next guardian cuts the torn line
    before = json.loads(_kept(path).read_bytes())["end"]
    with path.open("ab") as file:
        file.writelines(map(_line, range(LINES // 2, LINES)))
    MetricsCondenser(str(path)).update(path.stat().st_size)
    assert json.loads(_kept(path).read_bytes())["end"] > before
    assert _read(path)["loss"].count == LINES


def test_a_value_that_is_not_finite_may_be_the_last(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "CONDENSED_BYTES", 0)
    path.write_bytes(_line(1) + _line(997))
    MetricsCondenser(str(path)).update(path.stat().st_size)
    last = _read(path)["loss"].last
    assert last is not None
    assert math.isnan(last.value)


def test_a_file_that_was_written_anew_has_its_own_curves(path: Path) -> None:
    _write(path)
    path.write_bytes(_line(5) + b" " * 1_000_000)
    assert _read(path)["loss"].count == 1


def test_damaged_curves_are_read_again_from_the_values(path: Path) -> None:
    _write(path)
    kept = json.loads(_kept(path).read_bytes())
    start = kept["series"]["loss"][:5]
    damaged = [
        [],
        kept | {"end": -1},
        kept | {"end": "many"},
        kept | {"series": []},
        kept | {"series": {"loss": 1}},
        kept | {"series": {"loss": [*start, [[1, "t", 1, 1, 1, {}, 0]], [], []]}},
        kept | {"series": {"loss": [*start, [[1, "t", 1, 1, 1e999, 1, 0]], [], []]}},
    ]
    for content in damaged:
        _kept(path).write_text(json.dumps(content))
        assert _read(path)["loss"].count == LINES


def test_a_short_file_is_not_condensed(path: Path) -> None:
    _write(path, 10)
    assert not _kept(path).exists()
