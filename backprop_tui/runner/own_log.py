"""Follows the file that a script's output is redirected to, and records its path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.live import OwnLog
from backprop_tui.domain.run import Run
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner.attempt_beginning import AttemptBeginning
from backprop_tui.runner.log_follower import LogFollower, LogPosition, recover_offset
from backprop_tui.runner.own_output import OutputTarget, OwnOutput
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.run_directory import RunDirectory

END_SECONDS = 5.0
FIGURES_END_SECONDS = 0.5
_Values = Sequence[Progress | CheckpointSaved]


class OwnLogReader:
    """Reads that file; its position is in the live record, so that another guardian can continue."""

    def __init__(
        self,
        directory: RunDirectory,
        run: Run,
        recorder: Recorder,
        log: LogFollower,
        pids: Callable[[], Iterable[int]],
    ) -> None:
        """`log` follows output.log; `pids` returns the run's processes."""
        self._directory = directory
        self._recorder = recorder
        self._attempt = run.attempt.number
        self._log = log
        self.follower: LogFollower | None = None
        self._values: list[Progress | CheckpointSaved] = []  # of files that are no longer followed
        self._are_others_recorded = False
        self._has_ended = recorder.live.figures_end is not None
        known = recorder.live.own_log
        start = AttemptBeginning(run.attempt.started_at, recorder.live)
        self.output = OwnOutput(directory.log, run.spec.cwd, pids, known, start)
        if known is not None and known.attempt == self._attempt:
            self.output.adopt(known)
            self._follow(known)

    def read(self, now: float, time: float) -> tuple[_Values, bool]:
        """The next values, and whether more is waiting; `now` is monotonic, `time` the wall time."""
        more = False
        self._follow_new(None if self._has_ended else self.output.check(now), time)
        self._record_others()
        values, self._values = self._values, []
        if self.follower is not None:
            read, more = self.follower.read(time)
            values.extend(read)
        return self._with_log_offset(values), more

    def _record_others(self) -> None:
        """Reports once that other trainings of the run print to files that are not read, to keep curves apart."""
        others = self.output.others
        if others and not self._are_others_recorded:
            self._are_others_recorded = True
            paths = ", ".join(map(sanitize, others))
            self._record_event(f"output also goes to {paths}; it is not read", others[0], "another file is read")

    def _record_event(self, message: str, path: str, problem: str | None) -> None:
        self._recorder.record_event("output_elsewhere", message, path=path, problem=problem)

    def _follow_new(self, target: OutputTarget | None, time: float) -> None:
        """Reads the file that was followed to its end, then records the new target and follows it."""
        if target is None:
            return
        if self.follower is not None:
            more = True
            while more:
                read, more = self.follower.read(time)
                self._values.extend(read)
            self._values.extend(self.follower.finish(time))
            try:
                self.follower.write_metrics()
            except StorageFailed as error:
                self._recorder.change(problem=str(error))
        self._record(target)

    def fetch_rest(self, time: float) -> None:
        """Fetches the rest of a dead script's file; waits at most a few seconds for a hanging file system."""
        if not self._has_ended:
            self._has_ended = True
            self._follow_new(self.output.finish(END_SECONDS), time)

    def note_cost(self, seconds: float) -> None:
        """Says what the last values cost."""
        if self.follower is not None:
            self.follower.note_cost(seconds)

    def skip(self, left_bytes: int) -> None:
        """Goes on so many bytes before the end of the file."""
        if self.follower is not None:
            self.follower.skip(left_bytes)

    def finish(self, time: float) -> _Values:
        """Reads the last line, if it has no line end."""
        return () if self.follower is None else self._with_log_offset(self.follower.finish(time))

    def end_figures(self, time: float) -> None:
        """Ignores what is written from now on, by what started after the stop signal."""
        self._has_ended = True
        self._follow_new(self.output.finish(FIGURES_END_SECONDS), time)

    def write_metrics(self) -> None:
        """Writes the pending lines of metrics.jsonl. Raises: StorageFailed."""
        if self.follower is not None:
            self.follower.write_metrics()

    def record_position(self) -> None:
        """Records where another guardian would continue: not beyond metrics that are not written yet."""
        follower, own = self.follower, self._recorder.live.own_log
        if own is None or follower is None or not follower.all_written or follower.offset == own.offset:
            return
        own = replace(own, offset=follower.offset, generation=follower.generation, memory=follower.memory())
        self._recorder.change(own_log=own)

    def _record(self, target: OutputTarget) -> None:
        """Records a new target, and follows it if it can be read."""
        before = self._recorder.live.own_log
        own = OwnLog(
            path=target.path,
            attempt=self._attempt,
            problem=target.problem,
            start=target.start,
            offset=target.start,
            generation=0 if before is None else before.generation + 1,
        )
        self._recorder.commit(own_log=own)
        path = sanitize(target.path)
        reading = "it is read there" if target.problem is None else f"it cannot be read: {target.problem}"
        self._record_event(f"the output goes to {path}; {reading}", target.path, target.problem)
        self.follower = None
        if target.problem is None:
            self._follow(own)

    def _follow(self, own: OwnLog) -> None:
        if self.output.tail is None:
            return
        position = LogPosition(
            offset=own.offset,
            generation=own.generation,
            metrics_from=recover_offset(self._directory, own.generation, own.path),
            announced_from=own.offset,
            memory=own.memory,
        )
        self.follower = self._log.follow(self.output.tail, position)

    def _with_log_offset(self, values: _Values) -> _Values:
        """The values with the recorded position in the log: their own is one in another file."""
        live = self._recorder.live
        offset = live.log_offset if live.told_offset is None else live.told_offset
        return [replace(value, offset=offset) for value in values]
