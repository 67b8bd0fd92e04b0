"""A directory of outputs that is scanned for checkpoints, and files as frameworks save them."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.run import Checkpoint
from backprop_tui.readers.events import CheckpointSaved
from backprop_tui.runner.checkpoint_record import CheckpointRecord
from backprop_tui.runner.outputs.checkpoints import (
    CheckpointScanner,
    Sighting,
)
from backprop_tui.runner.outputs.files import OutputFiles
from backprop_tui.runner.outputs.locations import PathPatterns
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.run_directory import RunDirectory, read_lines


def torch_save(path: Path, size: int = 100) -> Path:
    """Writes a file like torch.save."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(size))
    return path


def trainer_save(folder: Path, step: int) -> Path:
    """Saves like the Hugging Face Trainer, the state last."""
    folder.mkdir(parents=True)
    torch_save(folder / "pytorch_model.bin")
    torch_save(folder / "optimizer.pt")
    (folder / "training_args.bin").write_bytes(b"\x80\x02}.")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return folder


class Scanned:
    """A cwd and the record of its checkpoints; each scan is a second after the one before."""

    def __init__(
        self, folder: Path, *globs: str, since_ns: int = 0, folders: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self.cwd = folder / "cwd"
        self.cwd.mkdir()
        self.record = folder / "record"
        self.record.mkdir()
        live = Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(), time=0.0)
        self.recorder = Recorder(RunDirectory(str(self.record)), live)
        self.patterns = patterns = PathPatterns(globs, str(self.cwd))
        self.scanner = CheckpointScanner(patterns, lambda: self.recorder.live.checkpoints, since_ns=since_ns)
        self.files = OutputFiles(
            patterns.locations(), cwd=str(self.cwd), since_ns=since_ns, is_relevant=patterns.matches
        )
        self.checkpoint_record = CheckpointRecord(self.recorder, self._expect, folders=folders)
        self.now = 0.0

    def _expect(self, path: str) -> None:
        self.scanner.expect(path)  # of the scanner that a test may have replaced

    def scan(self, *, at_end: bool = False) -> list[Sighting]:
        self.now += 1.0
        scan = partial(self.scanner.scan, at_end=at_end)
        sightings = list(scan(self.files.scan(), self.now))
        for sighting in sightings:
            self.checkpoint_record.handle(sighting)
        return sightings

    def scan_until_unchanged(self) -> None:
        self.scan()
        self.scan()

    def announce(self, path: str, step: int | None = None, *, log_step: int | None = None) -> None:
        saved = CheckpointSaved(path=path, step=step, offset=1)
        self.checkpoint_record.announce(saved, str(self.cwd), step if log_step is None else log_step)

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        return self.recorder.live.checkpoints

    def names(self) -> list[str]:
        return [os.path.relpath(saved.path, self.cwd) for saved in self.checkpoints]

    def messages(self, kind: str) -> list[str]:
        events = read_lines(str(self.record / "events.jsonl"))
        return [str(event["message"]) for event in events if event["event"] == kind]
