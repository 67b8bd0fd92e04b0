"""Handles the requests that front ends and the guard make of a running script."""

from __future__ import annotations

import time
from dataclasses import replace

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.formatting import duration, iso
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.live import Pause
from backprop_tui.domain.requests import (
    PERSON,
    ContinueRequest,
    EditRequest,
    NoticeRequest,
    PauseRequest,
    Request,
    StopRequest,
    TimeboxRequest,
)
from backprop_tui.domain.run import Run
from backprop_tui.domain.run_changes import apply_edit, with_timebox
from backprop_tui.domain.status import Status
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.stop_sequence import CheckpointWait, StopSequence
from backprop_tui.runner.tree import Tree
from backprop_tui.store.run_directory import RunDirectory


class RequestHandler:
    """Reads requests.jsonl from the last offset; records each intent, then acts, then advances the offset."""

    def __init__(
        self,
        directory: RunDirectory,
        tree: Tree,
        recorder: Recorder,
        stop_sequence: StopSequence,
        checkpoint_wait: CheckpointWait,
    ) -> None:
        self._directory = directory
        self._tree = tree
        self._recorder = recorder
        self._stop_sequence = stop_sequence
        self._checkpoint_wait = checkpoint_wait

    def handle(self, run: Run, now: float) -> Run:
        """Handles new requests; returns the run, changed if a request edits its record."""
        requests, offset = self._directory.requests_after(self._recorder.live.requests_offset)
        for request in requests:
            run = self._handle_request(request, run, now)
        if offset != self._recorder.live.requests_offset:
            self._recorder.commit(requests_offset=offset)
        return run

    def handle_after_end(self, run: Run) -> Run:
        """Handles the requests to a dead script: only edits of its record and notices still have an effect.

        A person's stop request is left for the scheduler or the next guardian, since the run may be queued again.
        """
        requests, offset = self._directory.requests_after(self._recorder.live.requests_offset)
        for request in requests:
            if isinstance(request, EditRequest):
                run = apply_edit(run, request)
            elif isinstance(request, NoticeRequest):
                self._recorder.record_event("told", request.message)
        if not any(isinstance(request, StopRequest) and request.by == PERSON for request in requests):
            self._recorder.change(requests_offset=offset)
        return run

    def _handle_request(self, request: Request, run: Run, now: float) -> Run:
        match request:
            case StopRequest(by=by, reason=reason, cause=cause, kill=True):
                self._stop_sequence.kill_now(by=by, reason=reason, now=now, cause=cause)
            case StopRequest(by=by, reason=reason, cause=None, after_checkpoint=waits):
                self._checkpoint_wait.stop(Status.STOPPED, by=by, reason=reason, now=now, after_checkpoint=waits)
            case StopRequest(by=by, reason=reason, cause=cause):
                self._stop_sequence.begin(Status.STOPPED, by=by, reason=reason, now=now, cause=cause)
            case PauseRequest():
                self._pause(request, now)
            case ContinueRequest():
                self._continue(request, now)
            case TimeboxRequest() | EditRequest():
                return self._edit(request, run)
            case NoticeRequest(message=message):
                self._recorder.record_event("told", message)
        return run

    def _pause(self, request: PauseRequest, now: float) -> None:
        live = self._recorder.live
        if live.stopping is not None:
            return
        if live.pause is not None:
            # A person may take over a pause by the guard, so that the guard does not end it; never the reverse.
            if request.by == PERSON and live.pause.by != PERSON:
                self._recorder.commit(
                    pause=replace(live.pause, by=request.by, reason=request.reason, gpu=None, celsius=None)
                )
            return
        gpu, celsius = request.gpu, request.celsius
        pause = Pause(since=time.time(), by=request.by, reason=request.reason, gpu=gpu, celsius=celsius, mark=now)
        self._recorder.commit(pause=pause, clock=live.clock.at(now, paused=False))
        heat = {} if celsius is None else {"gpu": gpu, "celsius": celsius}
        self._recorder.record_event("paused", request.reason, by=request.by, **heat)
        if not self._tree.freeze():
            self._recorder.commit(problem="some processes could not be paused")
        if self._tree.is_script_left:  # it goes on, and so does its timebox
            self._continue(ContinueRequest(by=request.by, reason=self._tree.left_note() or "not permitted"), now)

    def _continue(self, request: ContinueRequest, now: float) -> None:
        live = self._recorder.live
        if live.pause is None or request.by not in (PERSON, live.pause.by):
            return
        self._recorder.commit(pause=None, clock=live.clock.at(now, paused=True))
        self._recorder.record_event("continued", request.reason, by=request.by)
        self._tree.thaw()

    def _ends_at(self, run: Run) -> str | None:
        """When the timebox ends if nothing pauses the run; None without one."""
        limit, live = timebox_seconds(run), self._recorder.live
        used = live.clock.at(time.monotonic(), paused=live.pause is not None).running_seconds
        return None if limit is None else iso(time.time() + max(0.0, limit - used))

    def _edit(self, request: TimeboxRequest | EditRequest, run: Run) -> Run:
        before = run
        run = with_timebox(run, request) if isinstance(request, TimeboxRequest) else apply_edit(run, request)
        try:
            self._directory.write(run, durable=False)
        except StorageFailed as error:
            self._recorder.change(problem=str(error))  # the edit applies anyway, and is written with the end
        if isinstance(request, TimeboxRequest):
            limit = request.max_run_seconds
            message = "no limit" if limit is None else f"timebox is now {duration(limit)}"
            self._recorder.record_event("extended", message, ends_at=self._ends_at(run))
        elif run != before:
            self._recorder.record_event("edited", str(request))
        return run
