"""Carries out what front ends and the guard ask of a running script."""

from __future__ import annotations

import time

from backprop_tui.domain.edits import edited, with_timebox
from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.live import Pause
from backprop_tui.domain.requests import (
    ContinueRequest,
    EditRequest,
    PauseRequest,
    Request,
    StopRequest,
    TellRequest,
    TimeboxRequest,
)
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status
from backprop_tui.runner.ladder import PERSON, Ladder
from backprop_tui.runner.postponement import Postponement
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.tree import Tree
from backprop_tui.store.run_directory import RunDirectory


class Obedience:
    """Reads requests.jsonl from where it was obeyed; records each intent, then acts, then moves the offset on."""

    __slots__ = ("_directory", "_ladder", "_postponement", "_recorder", "_tree")

    def __init__(
        self, directory: RunDirectory, tree: Tree, recorder: Recorder, ladder: Ladder, postponement: Postponement
    ) -> None:
        self._directory = directory
        self._tree = tree
        self._recorder = recorder
        self._ladder = ladder
        self._postponement = postponement

    def obey(self, run: Run, now: float) -> Run:
        """Carries out what is new; returns the run, changed where its record was."""
        requests, offset = self._directory.requests_after(self._recorder.live.requests_offset)
        for request in requests:
            run = self._carry_out(request, run, now)
        if offset != self._recorder.live.requests_offset:
            self._recorder.commit(requests_offset=offset)
        return run

    def obey_the_dead(self, run: Run) -> Run:
        """The script is dead: only what changes the record has a meaning still.

        A person's wish to stop the run is left to whoever has it next: it may be queued again.
        """
        requests, offset = self._directory.requests_after(self._recorder.live.requests_offset)
        for request in requests:
            if isinstance(request, EditRequest):
                run = edited(run, request)
        if not any(isinstance(request, StopRequest) and request.by == PERSON for request in requests):
            self._recorder.change(requests_offset=offset)
        return run

    def _carry_out(self, request: Request, run: Run, now: float) -> Run:
        match request:
            case StopRequest(kill=True):
                self._ladder.kill_now(by=request.by, reason=request.reason, now=now, cause=request.cause)
            case StopRequest(cause=None):
                self._postponement.end(
                    Status.STOPPED,
                    by=request.by,
                    reason=request.reason,
                    now=now,
                    after_checkpoint=request.after_checkpoint,
                )
            case StopRequest():
                self._ladder.begin(Status.STOPPED, by=request.by, reason=request.reason, now=now, cause=request.cause)
            case PauseRequest():
                self._pause(request, now)
            case ContinueRequest():
                self._continue(request, now)
            case TimeboxRequest() | EditRequest():
                return self._edit(request, run)
            case TellRequest(message=message):
                self._recorder.tell("told", message)
        return run

    def _pause(self, request: PauseRequest, now: float) -> None:
        live = self._recorder.live
        if live.stopping is not None:
            return
        if live.pause is not None:
            # A person takes over a guard's pause, so that no guard continues it; never the other way round.
            if request.by == PERSON and live.pause.by != PERSON:
                self._recorder.commit(pause=Pause(since=live.pause.since, by=request.by, reason=request.reason))
            return
        pause = Pause(since=time.time(), by=request.by, reason=request.reason)
        self._recorder.commit(pause=pause, clock=live.clock.at(now, paused=False))
        self._recorder.tell("paused", request.reason, by=request.by)
        if not self._tree.freeze():
            self._recorder.commit(problem="some processes would not stop for the pause")

    def _continue(self, request: ContinueRequest, now: float) -> None:
        live = self._recorder.live
        if live.pause is None or request.by not in (PERSON, live.pause.by):
            return
        self._recorder.commit(pause=None, clock=live.clock.at(now, paused=True))
        self._recorder.tell("continued", request.reason, by=request.by)
        self._tree.thaw()

    def _edit(self, request: TimeboxRequest | EditRequest, run: Run) -> Run:
        run = with_timebox(run, request) if isinstance(request, TimeboxRequest) else edited(run, request)
        try:
            self._directory.write(run, durable=False)
        except StorageFailed as error:
            self._recorder.change(problem=str(error))  # obeyed all the same, and written with the end
        if isinstance(request, TimeboxRequest):
            limit = request.max_run_seconds
            self._recorder.tell("extended", "no limit" if limit is None else f"timebox is now {minutes(limit)} min")
        return run
