"""What is asked of a run whose script is dead."""

from __future__ import annotations

from pathlib import Path

from backprop_tui.domain.requests import EditRequest, PauseRequest, StopRequest
from backprop_tui.runner.obedience import RequestHandler
from backprop_tui.runner.postponement import DeferredStop
from tests.domain.runs import running
from tests.runner.test_ladder import Climb


def obedience(climb: Climb) -> RequestHandler:
    waiting = DeferredStop(climb.recorder, climb.ladder, grace_seconds=1.0)
    return RequestHandler(climb.directory, climb.tree, climb.recorder, climb.ladder, waiting)  # type: ignore[arg-type]


def test_an_edit_is_obeyed_and_a_pause_is_moot(tmp_path: Path) -> None:
    climb = Climb(str(tmp_path))
    climb.directory.append_request(EditRequest(note="late"))
    climb.directory.append_request(PauseRequest(by="person", reason="paused by you"))
    assert obedience(climb).obey_the_dead(running()).note == "late"
    offset = climb.recorder.live.requests_offset
    assert climb.directory.requests_after(offset) == ([], offset)


def test_a_persons_stop_stays_for_the_queue_that_may_get_the_run_again(tmp_path: Path) -> None:
    climb = Climb(str(tmp_path))
    stop = StopRequest(by="person", reason="stopped by you")
    climb.directory.append_request(stop)
    obedience(climb).obey_the_dead(running())
    assert climb.directory.requests_after(climb.recorder.live.requests_offset)[0] == [stop]


def test_a_guards_stop_dies_with_the_script(tmp_path: Path) -> None:
    climb = Climb(str(tmp_path))
    climb.directory.append_request(StopRequest(by="ram", reason="RAM is nearly gone"))
    obedience(climb).obey_the_dead(running())
    assert climb.directory.requests_after(climb.recorder.live.requests_offset)[0] == []
