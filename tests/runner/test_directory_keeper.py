"""A guardian reads the record of its run only when something else may have written it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.processes.identity import Identity
from backprop_tui.runner.directory_keeper import DirectoryKeeper
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs


def test_what_the_guardian_wrote_is_not_read_and_what_another_wrote_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(str(tmp_path), "here")
    home.prepare()
    guardian = Runs(home).guarded("a")
    directory, run = guardian.directory, replace(guardian.run, note="changed")
    recorder = Recorder(directory, guardian.live)
    script = Identity(pid=1, start_time=1)
    keeper = DirectoryKeeper(home, directory, guardian.lock_descriptor, recorder, script, guardian.run)
    directory.write(run, durable=False)
    Path(directory.script_lock).touch()
    with monkeypatch.context() as unreadable:
        unreadable.delattr(RunDirectory, "read")
        keeper.check(run)
    assert recorder.live.problem is None
    Path(directory.record_path).write_text("{}")
    keeper.check(run)
    assert directory.read().note == "changed"
