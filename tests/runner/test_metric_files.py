"""Metrics in files beside the log: read as they grow, each value once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backprop_tui.readers.events import Progress
from backprop_tui.runner.log_follower import LogFollower, LogPosition, MetricWatermarks
from backprop_tui.runner.outputs import metric_files
from backprop_tui.runner.outputs.files import OutputFile
from backprop_tui.runner.outputs.metric_files import MetricFiles
from backprop_tui.store.run_directory import RunDirectory, read_lines

CAPTURED = Path(__file__).parents[1] / "readers" / "captured"


def written(path: Path) -> OutputFile:
    status = path.stat()
    return OutputFile(path=str(path), size_bytes=status.st_size, modified_ns=status.st_mtime_ns)


def read(figures: MetricFiles, *paths: Path) -> list[Progress]:
    """What a scan of changed files finds; it is returned at the next one."""
    assert figures.read([written(path) for path in paths]) is None
    result = figures.read([])
    return [] if result is None else list(result.values)


def test_event_files_in_sibling_directories_are_separate_curves(tmp_path: Path) -> None:
    events = CAPTURED / "tensorboard-2.21.0"
    shutil.copytree(events, tmp_path / "torch")
    for folder in ("keras/train", "keras/validation", "runs/loss_val"):
        shutil.copytree(events / "loss_val", tmp_path / folder)
    names = {
        folder: {name for row in read(MetricFiles(), *(tmp_path / folder).rglob("*tfevents*")) for name in row.metrics}
        for folder in ("torch", "keras", "runs")
    }
    assert names["torch"] == {"train/loss", "val/acc", "val/f64", "loss/train", "loss/val"}
    assert (names["keras"], names["runs"]) == ({"loss", "validation/loss"}, {"loss"})


def test_a_table_is_read_as_it_grows(tmp_path: Path) -> None:
    table, figures = tmp_path / "metrics.csv", MetricFiles()
    table.write_text("epoch,step,loss\n0,1,0.5\n")
    assert [row.step for row in read(figures, table)] == [1]
    with table.open("a") as file:
        file.write("0,2,0.4\n0,3,")
    assert [row.step for row in read(figures, table)] == [2]


def test_a_rewritten_table_is_read_again(tmp_path: Path) -> None:
    table, figures = tmp_path / "metrics.csv", MetricFiles()
    table.write_text("epoch,step,loss\n0,1,0.5\n0,2,0.4\n")
    read(figures, table)
    table.write_text("epoch,step,loss,val_loss\n0,1,0.5,\n0,2,0.4,\n0,2,,0.3\n0,3,0.2,\n")
    assert figures.read([written(table)]) is None
    figures.read([])
    result = figures.read([])
    assert result is not None
    assert [list(row.metrics) for row in result.values] == [["loss"], ["loss"], ["val_loss"], ["loss"]]


def test_a_table_whose_columns_keep_changing_is_given_up(tmp_path: Path) -> None:
    table, figures = tmp_path / "metrics.csv", MetricFiles()
    table.write_text("epoch,loss\n1,2,3\n" * 3)
    figures.read([written(table)])
    for _ in range(2 * metric_files.MAX_RESTARTS):
        figures.read([])
    assert not figures._unread


def test_a_large_file_is_read_in_several_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_files, "MAX_READ_BYTES", 20)
    table, figures = tmp_path / "metrics.csv", MetricFiles()
    table.write_text("step,loss\n" + "".join(f"{step},0.5\n" for step in range(10)))
    results = [figures.read([written(table)] if look == 0 else []) for look in range(10)]
    assert [row.step for result in results if result is not None for row in result.values] == list(range(10))


def test_many_files_share_the_read_limit_of_a_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_files, "MAX_READ_BYTES", 30)
    files = []
    for number in range(8):
        table = tmp_path / f"metrics{number}.csv"
        table.write_text(f"step,loss\n{number},0.5\n{number + 10},0.5\n")
        files.append(written(table))
    figures = MetricFiles()
    results = [figures.read(files if look == 0 else []) for look in range(12)]
    sizes = [len(result.values) for result in results if result is not None]
    assert max(sizes) <= 4
    assert sum(sizes) == 16


def test_content_without_metrics_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_files, "MAX_READ_BYTES", 100)
    pictures = tmp_path / "events.out.tfevents.1"
    pictures.write_bytes((2 << 20).to_bytes(8, "little") + bytes(8 + (2 << 20)))
    rows = tmp_path / "people.csv"
    rows.write_text("name,age\n" + "Ada,36\n" * 1000)
    figures = MetricFiles()
    figures.read([written(pictures), written(rows)])
    figures.read([])
    assert not figures._unread
    with pictures.open("ab") as file:
        file.write((4).to_bytes(8, "little") + bytes(4))
    figures.read([written(pictures)])
    assert figures._growing[str(pictures)].position == pictures.stat().st_size


def test_the_last_scan_returns_everything(tmp_path: Path) -> None:
    table = tmp_path / "metrics.csv"
    table.write_text("step,loss\n1,0.5\n")
    result = MetricFiles().read([written(table)], is_last=True)
    assert result is not None
    assert len(result.values) == 1


def test_a_removed_file_does_no_harm(tmp_path: Path) -> None:
    gone = OutputFile(path=str(tmp_path / "metrics.csv"), size_bytes=5, modified_ns=0)
    assert read(MetricFiles()) == []
    assert MetricFiles().read([gone], is_last=True) is None


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("transformers-5.24.0", "trainer_state.json"),
        ("lightning-2.6.6-tqdm", "metrics.csv"),
        ("lightning-2.6.6-tqdm", "events.out.tfevents.1795675634.box.10678.0"),
        ("keras-3.15.1-verbose-1", "metrics.csv"),
        ("keras-3.15.1-verbose-2", "metrics.csv"),
    ],
)
def test_values_in_the_log_are_not_repeated_by_a_file(tmp_path: Path, folder: str, name: str) -> None:
    directory = RunDirectory(str(tmp_path))
    shutil.copy(CAPTURED / folder / "output.log", directory.log)
    shutil.copy(CAPTURED / folder / name, tmp_path / name)
    log = LogFollower(directory, LogPosition())
    while log.read(0.0)[1]:
        continue
    log.finish(0.0)
    log.write_metrics()
    before = read_lines(directory.file("metrics.jsonl"))
    new_values = log.add_from_files(read(MetricFiles(), tmp_path / name), 0.0)
    log.write_metrics()
    assert all(not value.metrics for value in new_values)
    assert read_lines(directory.file("metrics.jsonl")) == before


def test_values_only_in_a_file_are_written_once(tmp_path: Path) -> None:
    directory = RunDirectory(str(tmp_path))
    rows = [Progress(offset=0, step=step, metrics={"loss": 1 / step}) for step in (1, 2, 3)]
    log = LogFollower(directory, LogPosition())
    assert log.add_from_files(rows, 0.0) == rows
    assert log.add_from_files(rows, 0.0) == []
    log.write_metrics()
    assert [line["step"] for line in read_lines(directory.file("metrics.jsonl"))] == [1, 2, 3]
    after = LogFollower(directory, LogPosition(watermarks=MetricWatermarks.read(directory)))
    assert after.add_from_files(rows, 0.0) == []


def test_after_a_resume_values_beyond_the_checkpoint_are_new(tmp_path: Path) -> None:
    directory = RunDirectory(str(tmp_path))
    log = LogFollower(directory, LogPosition())
    rows = [Progress(offset=0, step=step, metrics={"loss": 1 / step}) for step in (10, 20, 30)]
    log.add_from_files(rows, 0.0)
    log.write_metrics()
    resumed = LogFollower(directory, LogPosition(watermarks=MetricWatermarks.read(directory, up_to=20)))
    assert [row.step for row in resumed.add_from_files(rows, 0.0)] == [30]


def test_without_steps_epochs_decide_which_values_are_new() -> None:
    watermarks = MetricWatermarks()
    watermarks.advance(["loss"], None, 0.2083)
    same = Progress(offset=0, step=5, epoch=0.20833333, metrics={"loss": 1.0})
    later = Progress(offset=0, step=10, epoch=0.41666666, metrics={"loss": 1.0})
    assert watermarks.beyond(same).metrics == {}
    assert watermarks.beyond(later).metrics == {"loss": 1.0}
