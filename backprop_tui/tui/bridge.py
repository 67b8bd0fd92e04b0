"""The bridge between dashboard, store and engine: polls the store, and keeps a supervisor while work is unfinished."""

from __future__ import annotations

import asyncio
import gc
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, field, replace
from typing import TYPE_CHECKING

from textual.message import Message

from backprop_tui.config.load import machine_probe
from backprop_tui.domain.errors import BackpropError, ConfigError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import UNFINISHED
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.presentation.run_fields import field_of
from backprop_tui.presentation.run_order import RunSort
from backprop_tui.probes.logout import LogoutEffect
from backprop_tui.processes.detached_log import append_private
from backprop_tui.store.failures import SUPERVISOR, failure_of
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import needs_supervisor
from backprop_tui.tui import Mode
from backprop_tui.tui.absence import AbsenceDigest, AbsenceTracker, SeenFailures, WindowFocus
from backprop_tui.tui.layout import RulePlace
from backprop_tui.tui.notifications import EndCommand, RunEnd, ends_between
from backprop_tui.tui.snapshot import OpenRun, Snapshot
from backprop_tui.tui.state_file import StateFile
from backprop_tui.tui.store_reader import StoreReader

if TYPE_CHECKING:
    from backprop_tui.launchers.sampler_process import SamplerProcess

Post = Callable[[Message], object]

ENSURE_SECONDS = 2.0  # between two attempts to start a supervisor
UNFOCUSED_SECONDS = 5.0  # the least interval between two polls while another window has the focus
_MANY_RUNS = 500  # more than before, which the garbage collector need not look at again
MOST_PUT_OFF_SECONDS = 2.0  # of a poll while keys are pressed
_LOOK_SECONDS = 0.1  # between two looks whether they still are
_COLLECT_AFTER = (100_000, 100, 1_000)  # new objects, collections, larger ones: more than there are between pauses
_NEW_OBJECTS, _LARGE_COLLECTION = 1_000, 60  # worth a collection in a pause; each how many looks at all objects


class StoreRead(Message):
    """The state changed, or something is shown that changes with time."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


class EventsRead(Message):
    """The events of the run that was just selected."""

    def __init__(self, opened: OpenRun | None) -> None:
        super().__init__()
        self.opened = opened


class StoreFailed(Message):
    """The store cannot be read, or the supervisor or sampler cannot be started."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class DigestReady(Message):
    """The digest of an absence; `opens` says whether it is shown as a dialog or only mentioned in a line.

    `is_answer`: it was requested and completes the one that is open.
    """

    def __init__(self, digest: AbsenceDigest, *, opens: bool, is_answer: bool = False) -> None:
        super().__init__()
        self.digest = digest
        self.opens = opens
        self.is_answer = is_answer


class RunsEnded(Message):
    """Runs ended since the last poll; `problem` says why the user's command could not be started for them."""

    def __init__(self, ends: Sequence[RunEnd], *, problem: str | None = None) -> None:
        super().__init__()
        self.ends = ends
        self.problem = problem


@lazy_dataclass(slots=True, kw_only=True)
class ListChoices:
    """What the user chose for the list of runs; a small file of the store remembers it.

    `columns` has those that are shown (True) or hidden (False) other than by default; `sort` None: default order.
    """

    columns: dict[str, bool] = field(default_factory=dict)
    sort: RunSort | None = None

    def copy(self) -> ListChoices:
        return ListChoices(columns=dict(self.columns), sort=self.sort)


class ListChoicesFile:
    """The choices on disk."""

    def __init__(self, home: Home) -> None:
        self._file = StateFile(home, home.list_choices)
        self._noted = ListChoices()

    def read(self) -> ListChoices:
        record = self._file.read()
        columns, sort = record.get("columns"), record.get("sort")
        known = {str(key): shown is True for key, shown in columns.items()} if isinstance(columns, dict) else {}
        choices = ListChoices(columns=known)
        if isinstance(sort, dict) and field_of(str(sort.get("key"))) is not None:
            choices.sort = RunSort(key=str(sort["key"]), largest_first=sort.get("largest_first") is True)
        self._noted = choices.copy()
        return choices

    def note(self, choices: ListChoices) -> None:
        """Writes them if they changed."""
        if choices == self._noted:
            return
        self._noted = choices.copy()
        sort = choices.sort
        stored_sort = None if sort is None else {"key": sort.key, "largest_first": sort.largest_first}
        self._file.write({"columns": choices.columns, "sort": stored_sort})


class Bridge:
    """Works in a thread of its own, so that a hanging file system freezes no screen; the sampler dies with it."""

    wants_history = False  # whether runs of the files of earlier months are shown too

    def __init__(
        self,
        home: Home,
        config_path: str,
        seconds: float,
        focus: WindowFocus | None = None,
        *,
        mode: Mode = Mode.NORMAL,
        end_command: EndCommand | None = None,
    ) -> None:
        """`seconds` is the polling interval."""
        self._focus = focus or WindowFocus()
        self._absence = AbsenceTracker(home, self._focus, is_read_only=mode is Mode.READ_ONLY)
        self._end_command = end_command
        self._seen_failures = SeenFailures(home)
        self._choices_file = ListChoicesFile(home)
        self._rule_file = StateFile(home, home.pane_rule)
        self.list_choices = ListChoices()  # the screen changes them, and the bridge stores them
        self.seen_failures: set[str] = set()  # ids of runs; the screen adds what is looked at, and the bridge stores it
        self._digest_requested = False
        self._mode = mode
        self._logout: LogoutEffect | None = None
        self._polls = 0
        self._reader = StoreReader(home, config_path)
        self._home = home
        self._config_path = config_path
        self._supervisor = SupervisorProcess(home=home, config_path=config_path)
        self._sampler: SamplerProcess | None = None
        self.seconds = seconds
        self._selected: str | None = None
        self._events_of: str | None = None  # the run whose events were read last
        self._collections = 0
        self._wake_up = asyncio.Event()
        self._is_due = False  # whether a poll was asked for
        self._ensured_at = float("-inf")
        self._last: Snapshot | None = None
        self.rule = RulePlace()  # where the user put the rule between the panes
        self._runs_set_aside = -_MANY_RUNS
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bridge")

    def first(self) -> Snapshot:
        """Reads the state before the first paint, in the calling thread.

        Raises:
            StorageFailed: the state directory cannot be read.
        """
        self.rule = _rule_from(self._rule_file.read())
        self.seen_failures |= self._seen_failures.read()
        self.list_choices = self._choices_file.read()
        self._last = replace(self._reader.read(None), mode=self._mode)
        return self._last

    def select(self, run_id: str | None) -> None:
        """Selects the run whose events are read: immediately, and with each poll."""
        if run_id != self._selected:
            self._selected = run_id
            self._wake_up.set()

    def look(self) -> None:
        """Polls immediately."""
        self._is_due = True
        self._wake_up.set()

    def remember_rule(self) -> None:
        """Writes where the rule is, for the next start; without it the panes only begin as they would."""
        if self._mode is not Mode.READ_ONLY:
            self._thread.submit(self._rule_file.write, asdict(self.rule))

    def digest_without_events(self, snapshot: Snapshot) -> AbsenceDigest:
        """The digest of the last absence as far as no file has to be read for it."""
        return self._absence.request_digest(snapshot, with_events=False)

    def request_digest(self) -> None:
        """Makes it post the whole digest of the last absence."""
        self._digest_requested = True
        self.look()

    async def follow(self, post: Post) -> None:
        """Polls until it is canceled, and posts messages about what is new."""
        loop = asyncio.get_running_loop()
        while True:
            self._is_due, self._events_of = False, self._selected
            noted = frozenset(self.seen_failures), self.list_choices.copy()
            try:
                snapshot, messages = await loop.run_in_executor(self._thread, self._poll, self._events_of, *noted)
            except (BackpropError, OSError) as error:
                post(StoreFailed(str(error)))
            except Exception as error:  # noqa: BLE001 - the boundary of the thread: the screen stays and shows the error
                post(StoreFailed(f"internal error: {error!r}; details: {self._save_traceback()}"))
            else:
                if self._is_news(snapshot):
                    post(StoreRead(snapshot))
                for message in messages:
                    post(message)
                self._last = snapshot
            await self._pause(post)
            self._collect_garbage()

    async def _pause(self, post: Post) -> None:
        """Waits until the next poll, and on while keys are pressed: they would wait for it and for what it repaints."""
        loop = asyncio.get_running_loop()
        seconds, latest = self.pause_seconds, loop.time() + self.pause_seconds + MOST_PUT_OFF_SECONDS
        while not self._is_due:
            try:
                async with asyncio.timeout(seconds):
                    await self._follow_selection(post)
            except TimeoutError:
                if not self._focus.is_typing or loop.time() >= latest:
                    return
            seconds = _LOOK_SECONDS

    async def _follow_selection(self, post: Post) -> None:
        """Reads the events of each run that is selected, until a poll is due: a poll would repaint every pane."""
        while not self._is_due:
            selected = self._selected
            if selected == self._events_of:
                self._wake_up.clear()
                await self._wake_up.wait()
                continue
            opened = await asyncio.get_running_loop().run_in_executor(self._thread, self._read_events, selected)
            self._events_of = selected
            if self._last is not None:
                self._last = replace(self._last, opened=opened)
            post(EventsRead(opened))

    def _collect_garbage(self) -> None:
        """Does it in the pause after a key, so that no key waits for it."""
        if gc.get_count()[0] >= _NEW_OBJECTS and not self._focus.is_typing:
            self._collections += 1
            gc.collect(1 if self._collections % _LARGE_COLLECTION else 2)

    def _read_events(self, run_id: str | None) -> OpenRun | None:
        try:
            return self._reader.read_events(run_id)
        except (BackpropError, OSError):
            return None  # the next poll reports the error

    @property
    def pause_seconds(self) -> float:
        """The pause between two polls, unless it is woken up."""
        return max(self.seconds, UNFOCUSED_SECONDS) if self._focus.is_unfocused else self.seconds

    def close(self) -> None:
        """Stops the bridge's own sampler, if any; the supervisor continues."""
        gc.unfreeze()
        self._absence.leave(time.time())
        if self._last is not None:
            self._remember(frozenset(self.seen_failures), self.list_choices, self._last)
        if self._sampler is not None:
            self._sampler.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _poll(
        self, selected: str | None, seen_failures: AbstractSet[str], choices: ListChoices
    ) -> tuple[Snapshot, list[Message]]:
        """Reads the state, keeps supervisor and sampler alive, and collects messages; in the bridge's thread."""
        read = self._read(selected)
        snapshot = replace(read, logout=self._logout_effect(), mode=self._mode)
        if self._mode is not Mode.READ_ONLY:
            self._keep_supervisor(snapshot)
            self._keep_sampler(snapshot)
        self._remember(seen_failures, choices, snapshot)
        return snapshot, [*self._digest_messages(snapshot), *self._end_messages(snapshot)]

    def _read(self, selected: str | None) -> Snapshot:
        """Reads the state; the garbage collector looks at what is there neither meanwhile nor later."""
        gc.disable()
        try:
            read = self._reader.read(selected, history=self.wants_history)
            runs = len(read.runs) + len(read.history)
            if runs >= self._runs_set_aside + _MANY_RUNS:
                self._runs_set_aside = runs
                gc.freeze()
                gc.set_threshold(*_COLLECT_AFTER)
        finally:
            gc.enable()
        return read

    def _remember(self, seen_failures: AbstractSet[str], choices: ListChoices, snapshot: Snapshot) -> None:
        """Writes what the next dashboard begins with, if it changed."""
        if self._mode is not Mode.READ_ONLY:
            self._seen_failures.note(seen_failures, snapshot)
            self._choices_file.note(choices)

    def _digest_messages(self, snapshot: Snapshot) -> Iterator[DigestReady]:
        is_requested, self._digest_requested = self._digest_requested, False
        digest = self._absence.look(snapshot)
        if is_requested:
            yield DigestReady(self._absence.request_digest(snapshot), opens=False, is_answer=True)
        elif digest is not None:
            yield DigestReady(digest, opens=self._absence.may_interrupt)

    def _end_messages(self, snapshot: Snapshot) -> Iterator[RunsEnded]:
        """Reports ends since the last poll; starts the user's command for them if nobody is watching."""
        ends = () if self._last is None else ends_between(self._last, snapshot)
        if not ends:
            return
        problem = None
        if self._end_command is not None and self._focus.is_unseen and self._mode is not Mode.READ_ONLY:
            try:
                problem = self._end_command.run(ends)
            except BackpropError as error:  # the ends are shown nevertheless
                problem = f"notify.command: {error}"
        yield RunsEnded(ends, problem=problem)

    def _keep_supervisor(self, snapshot: Snapshot) -> None:
        """Starts a supervisor if a run of this machine needs one, and there is none."""
        now = snapshot.moment.monotonic
        if snapshot.supervisor_pid is not None or now - self._ensured_at < ENSURE_SECONDS:
            return
        failure = failure_of(self._home, SUPERVISOR)
        is_pausing = failure is not None and failure.seconds_left() > 0  # as the snapshot says
        if is_pausing or self._home.foreign_owner() is not None:
            return
        marked = (run.run for run in snapshot.runs if run.run is not None)
        self._ensured_at = now
        if any(needs_supervisor(self._home, run) for run in marked):
            self._supervisor.ensure()

    def _keep_sampler(self, snapshot: Snapshot) -> None:
        """Runs a sampler for the gauges while there is no supervisor, which has its own."""
        if snapshot.supervisor_pid is not None:
            if self._sampler is not None:
                self._sampler.stop()
                self._sampler = None
            return
        if self._home.foreign_owner() is not None:
            return
        if self._sampler is None:
            self._home.prepare()
            seconds = max(self.seconds, snapshot.limits.sample_seconds)
            from backprop_tui.launchers.sampler_process import SamplerProcess

            self._sampler = SamplerProcess(home=self._home, probe=self._probe(), interval_seconds=seconds)
        self._sampler.ensure(time.monotonic())

    def _probe(self) -> str:
        try:
            return machine_probe(self._config_path)
        except ConfigError:
            return "auto"

    def _logout_effect(self) -> LogoutEffect | None:
        """How a logout affects runs; asked once and not in the first poll, since systemd may be slow to answer."""
        if self._logout is None and self._polls > 0:
            from backprop_tui.probes.logout import login_name, logout_effect

            self._logout = logout_effect(login_name())
        self._polls += 1
        return self._logout

    def _is_news(self, now: Snapshot) -> bool:
        last = self._last
        if last is None or replace(last, moment=now.moment) != now:
            return True
        if int(last.moment.wall // 60) != int(now.moment.wall // 60):
            return True
        return any(run.status in UNFINISHED for run in now.runs)

    def _save_traceback(self) -> str:
        path = self._home.faults
        try:
            self._home.require_own()
            append_private(path, traceback.format_exc())
        except (BackpropError, OSError):
            return "no file: it cannot be written"
        return path


def _rule_from(record: JsonObject) -> RulePlace:
    """Where the rule was put; values that are no shares are ignored."""
    shares = {name: record.get(name) for name in ("rows", "columns")}
    return RulePlace(**{name: share for name, share in shares.items() if isinstance(share, float) and 0 < share < 1})
