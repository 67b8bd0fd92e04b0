"""Follows runs until they have ended, from the outside: it may freeze or vanish, and they go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import HELD as HELD_CODE
from backprop_tui.cli.exit_codes import STOPPED, first_failure
from backprop_tui.cli.guardians import open_guardian
from backprop_tui.cli.interrupts import Interrupts
from backprop_tui.cli.pacing import LONGEST_SECONDS, Pace
from backprop_tui.cli.petition import Petition
from backprop_tui.cli.petitions import PERSON, Stop
from backprop_tui.cli.presenters import PrefixedOutput, Presenter
from backprop_tui.cli.session import Session
from backprop_tui.cli.story import ENDED, HELD, Event, Story
from backprop_tui.cli.tails import ByteTail, From
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home

ENSURE_SECONDS = 2.0
URGENT_FOR_SECONDS = 1.0  # after a run was queued or admitted, when each moment counts
STOPPED_BY_CTRL_C = "stopped by Ctrl-C"
_KILL, _LEAVE = 2, 3  # how often Ctrl-C was pressed


class Followed:
    """One run that is followed."""

    def __init__(self, home: Home, run_id: str, presenter: Presenter, start: From) -> None:
        metrics = start.metrics if presenter.wants_progress else None
        self.story = Story(home, run_id, events_offset=start.events, metrics_offset=metrics)
        self._tail = ByteTail(self.story.directory.log, start.log)
        self._presenter = presenter
        self._guardian: int | None = None
        self.urgent_until = time.monotonic() + URGENT_FOR_SECONDS
        self.held = False
        self.end: JsonObject | None = None

    @property
    def guardian(self) -> int | None:
        """A pidfd of its guardian: its death is the quickest sign of the end. None where there is none, or unknown."""
        return self._guardian

    def look(self, now: float) -> bool:
        """Shows what is new; whether anything was."""
        changed = self.story.look()
        if changed and self.story.run.status in (Status.QUEUED, Status.STARTING):
            self.urgent_until = now + URGENT_FOR_SECONDS
        ended = self.story.has_ended  # before the log is read: what is read then is all there is
        printed = self._pass_output()
        if ended and not self._presenter.room():
            return printed  # its end comes after its last output
        told = [*self.story.news(now)]
        for event in told:
            self.held = event.kind == HELD
            if event.kind == ENDED:
                self._finish(event)
            self._presenter.event(event)
        self._watch_guardian()
        return changed or printed or bool(told)

    def _pass_output(self) -> bool:
        printed = False
        while self._presenter.wants_output and self._presenter.room() and (content := self._tail.read()):
            printed = True
            self._presenter.offer(self.story.run.id, content)
        return printed

    def _finish(self, event: Event) -> None:
        self.end = event.figures["run"]
        if isinstance(self._presenter, PrefixedOutput):
            self._presenter.finish(self.story.run.id)
        self.forget_guardian()

    def _watch_guardian(self) -> None:
        if self._guardian is not None or self.end is not None or self.story.run.status is not Status.RUNNING:
            return
        live = self.story.live()
        if live is not None:
            self._guardian = open_guardian(self.story.directory, live.runner_pid)

    def forget_guardian(self) -> None:
        """It has died, or is no longer of interest."""
        if self._guardian is not None:
            os.close(self._guardian)
            self._guardian = None


class Following:
    """Follows some runs to their ends; Ctrl-C stops them."""

    def __init__(
        self,
        session: Session,
        starts: Mapping[str, From],
        presenter: Presenter,
        interrupts: Interrupts,
    ) -> None:
        self._take_back: Callable[[str], bool] | None = None
        self._session = session
        self._presenter = presenter
        self._interrupts = interrupts
        self._obeyed_interrupts = 0
        self._all_written = True
        self._petitions: list[Petition[StopRequest]] = []
        self._ensure_at = time.monotonic() + ENSURE_SECONDS
        self._complained: set[str] = set()
        self.runs = [Followed(session.home, run_id, presenter, start) for run_id, start in starts.items()]

    def to_the_end(self) -> int:
        """Returns the exit code: of the first that did not end well, else 0.

        130 where Ctrl-C left them, 75 where one is held and that was not to be waited for.

        Raises:
            BrokenPipeError: nobody reads stdout any more; the runs go on.
        """
        pace = Pace(time.monotonic())
        while True:
            now = time.monotonic()
            changes = [followed.look(now) for followed in self._unfinished()]
            if any(changes):
                pace.changed(now)
            self._all_written = self._presenter.flush()
            if not self._unfinished():
                break
            if self._has_left_held():
                return HELD_CODE
            if self._interrupts.count >= _LEAVE:
                diagnostics.say(f"left alone: {', '.join(followed.story.run.id for followed in self._unfinished())}")
                return STOPPED
            self._stop_where_asked()
            self._ensure_supervisor(now)
            self._presenter.status([followed.story for followed in self.runs], now)
            self._wait(pace, now)
        self._write_the_rest()
        return first_failure([followed.end for followed in self.runs if followed.end is not None])

    def _write_the_rest(self) -> None:
        """However long the reader takes, unless Ctrl-C says that nobody wants it any more."""
        diagnostics.clear_status()
        pressed = self._interrupts.count
        while not self._presenter.flush() and self._interrupts.count == pressed:
            output.wait(LONGEST_SECONDS, for_reader=True)

    def leave_when_held(self, take_back: Callable[[str], bool]) -> None:
        """A run that is held is not waited for: `take_back` takes it out of the queue, and says whether it could."""
        self._take_back = take_back

    def _has_left_held(self) -> bool:
        held = [followed.story.run.id for followed in self.runs if followed.held]
        if not held or self._take_back is None:
            return False
        take_back, self._take_back = self._take_back, None
        return all(take_back(run_id) for run_id in held)

    def _unfinished(self) -> list[Followed]:
        return [followed for followed in self.runs if followed.end is None]

    def _stop_where_asked(self) -> None:
        if self._interrupts.count > self._obeyed_interrupts:
            self._obeyed_interrupts = self._interrupts.count
            request = StopRequest(by=PERSON, reason=STOPPED_BY_CTRL_C, kill=self._interrupts.count >= _KILL)
            self._petitions = [Stop(self._session, followed.story.run.id, request) for followed in self._unfinished()]
            count = counted(len(self._petitions), "run")
            diagnostics.say(f"killing {count}" if request.kill else f"stopping {count}; Ctrl-C again kills")
        for petition in [*self._petitions]:
            try:
                granted = petition.look() is not None
            except BackpropError as error:
                self._complain(error)
                granted = True
            if granted:
                self._petitions.remove(petition)

    def _ensure_supervisor(self, now: float) -> None:
        if now < self._ensure_at:
            return
        self._ensure_at = now + ENSURE_SECONDS
        try:
            self._session.supervisor.ensure()
        except (BackpropError, OSError) as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Once: the runs do not depend on us, and the next look may go well."""
        if str(error) not in self._complained:
            self._complained.add(str(error))
            diagnostics.complain(str(error))

    def _wait(self, pace: Pace, now: float) -> None:
        """Until the next look; a guardian's death and a reader's going away are seen at once."""
        unfinished = self._unfinished()
        urgent = any(now < followed.urgent_until for followed in unfinished)
        guardians = {followed.guardian: followed for followed in unfinished if followed.guardian is not None}
        seconds = pace.seconds(now, urgent=urgent)
        for descriptor in output.wait(seconds, for_reader=not self._all_written, others=guardians):
            guardians[descriptor].forget_guardian()
            guardians[descriptor].urgent_until = time.monotonic() + URGENT_FOR_SECONDS
            self._ensure_at = now  # if it died before its end was written, somebody must find that
