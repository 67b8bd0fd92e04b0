"""Requests to a run whose script is dead."""

from __future__ import annotations

from pathlib import Path

from backprop_tui.domain.requests import PERSON, EditRequest, NoticeRequest, PauseRequest, StopRequest
from backprop_tui.runner.request_handler import RequestHandler
from backprop_tui.runner.stop_sequence import CheckpointWait
from backprop_tui.store.run_directory import read_lines
from tests.domain.runs import running
from tests.runner.test_stop_sequence import StoppedRun


def handler(stopped: StoppedRun) -> RequestHandler:
    waiting = CheckpointWait(stopped.recorder, stopped.stop_sequence, grace_seconds=1.0)
    return RequestHandler(stopped.directory, stopped.tree, stopped.recorder, stopped.stop_sequence, waiting)  # type: ignore[arg-type]


def test_after_the_end_edits_apply_and_pauses_do_not(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path))
    stopped.directory.append_request(EditRequest(note="late"))
    stopped.directory.append_request(PauseRequest(by="person", reason="paused by you"))
    assert handler(stopped).handle_after_end(running()).note == "late"
    offset = stopped.recorder.live.requests_offset
    assert stopped.directory.requests_after(offset) == ([], offset)


def test_a_persons_stop_is_left_for_the_scheduler(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path))
    stop = StopRequest(by="person", reason="stopped by you")
    stopped.directory.append_request(stop)
    handler(stopped).handle_after_end(running())
    assert stopped.directory.requests_after(stopped.recorder.live.requests_offset)[0] == [stop]


def test_a_stop_by_the_guard_does_not_outlive_the_script(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path))
    stopped.directory.append_request(StopRequest(by="ram", reason="RAM is nearly gone"))
    handler(stopped).handle_after_end(running())
    assert stopped.directory.requests_after(stopped.recorder.live.requests_offset)[0] == []


def test_a_pause_lasts_by_the_monotonic_clock_also_after_a_takeover(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path))
    stopped.tree.freeze = lambda: True  # type: ignore[attr-defined]
    stopped.tree.is_script_left = False  # type: ignore[attr-defined]
    for by, now in (("heat", 100.0), (PERSON, 200.0)):
        stopped.directory.append_request(PauseRequest(by=by, reason="r", gpu=0, celsius=90.0))
        handler(stopped).handle(running(), now)
        pause = stopped.recorder.live.pause
        assert pause is not None
        assert (pause.by, pause.mark) == (by, 100.0)


def test_a_notice_is_recorded_although_the_script_is_dead(tmp_path: Path) -> None:
    stopped = StoppedRun(str(tmp_path))
    stopped.directory.append_request(NoticeRequest(message="hello"))
    handler(stopped).handle_after_end(running())
    events = read_lines(stopped.directory.events_path)
    assert [event["message"] for event in events if event["event"] == "told"] == ["hello"]
