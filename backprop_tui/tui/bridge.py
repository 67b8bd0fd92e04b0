"""The one thing that talks to store and engine: reads on a cadence, keeps a supervisor while work is unfinished."""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from textual.message import Message

from backprop_tui.config.errors import ConfigError
from backprop_tui.config.machine import machine_probe
from backprop_tui.domain.errors import BackpropError, StorageFailed
from backprop_tui.domain.status import UNFINISHED
from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.probes.logout import Logout, user_name, what_logout_does
from backprop_tui.store.home import Home
from backprop_tui.tui.focus import WindowFocus
from backprop_tui.tui.looking_back import LookingBack
from backprop_tui.tui.notices.command import EndCommand
from backprop_tui.tui.notices.ends import End, ends_between
from backprop_tui.tui.reading.store import StoreReader
from backprop_tui.tui.recollection import Recollection
from backprop_tui.tui.snapshot import Snapshot

Post = Callable[[Message], object]

ENSURE_SECONDS = 2.0
UNFOCUSED_SECONDS = 5.0  # between two looks at least, while another window has the keys
FAULTS = "faults.log"  # in the state directory


class StoreRead(Message):
    """Something changed, or the clock makes a difference to what is shown."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


class StoreFailed(Message):
    """The store cannot be read at the moment, or an engine cannot be started; `words` says why."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words


class Remembered(Message):
    """What happened during an absence; `opens` the digest, or is told in a line."""

    def __init__(self, recollection: Recollection, *, opens: bool) -> None:
        super().__init__()
        self.recollection = recollection
        self.opens = opens


class RunsEnded(Message):
    """Runs ended since the last look; `problem` is what kept the user's command from being started for them."""

    def __init__(self, ends: Sequence[End], *, problem: str | None = None) -> None:
        super().__init__()
        self.ends = ends
        self.problem = problem


class Bridge:
    """Works in one thread of its own: a file system that hangs freezes no screen, and the sampler dies with it."""

    def __init__(
        self,
        home: Home,
        config_path: str,
        seconds: float,
        attention: WindowFocus | None = None,
        *,
        is_demo: bool = False,
        end_command: EndCommand | None = None,
    ) -> None:
        """Looks every so many `seconds`."""
        self._attention = attention or WindowFocus()
        self._looking_back = LookingBack(home, self._attention)
        self._end_command = end_command
        self._recalls = False
        self._is_demo = is_demo
        self._logout: Logout | None = None
        self._steps = 0
        self._reader = StoreReader(home, config_path)
        self._home = home
        self._config_path = config_path
        self._supervisor = SupervisorProcess(home=home, config_path=config_path)
        self._sampler: SamplerProcess | None = None
        self.seconds = seconds
        self._selected: str | None = None
        self._wanted = asyncio.Event()
        self._ensured_at = float("-inf")
        self._last: Snapshot | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bridge")

    def first(self) -> Snapshot:
        """What is known before the first paint, read at once.

        Raises:
            StorageFailed: the state directory cannot be read.
        """
        self._last = replace(self._reader.read(None), is_demo=self._is_demo)
        return self._last

    def select(self, run_id: str | None) -> None:
        """Whose story is wanted; it is read at once."""
        if run_id != self._selected:
            self._selected = run_id
            self._wanted.set()

    def look(self) -> None:
        """Something was just asked for: look at once."""
        self._wanted.set()

    def recall(self) -> None:
        """The digest is asked for."""
        self._recalls = True
        self._wanted.set()

    async def follow(self, post: Post) -> None:
        """Reads until it is cancelled, and posts what is new."""
        loop = asyncio.get_running_loop()
        while True:
            self._wanted.clear()
            try:
                snapshot, told = await loop.run_in_executor(self._thread, self._step, self._selected)
            except (BackpropError, OSError) as error:
                post(StoreFailed(str(error)))
            except Exception as error:  # noqa: BLE001 - the named boundary: the screen stays, and says what happened
                post(StoreFailed(f"internal error: {error!r}; the details are in {self._keep_trace()}"))
            else:
                if self._is_news(snapshot):
                    post(StoreRead(snapshot))
                for message in told:
                    post(message)
                self._last = snapshot
            try:
                await asyncio.wait_for(self._wanted.wait(), self.pause_seconds)
            except TimeoutError:
                pass

    @property
    def pause_seconds(self) -> float:
        """Between two looks, unless something is asked for."""
        return max(self.seconds, UNFOCUSED_SECONDS) if self._attention.is_unfocused else self.seconds

    def close(self) -> None:
        """Ends the sampler of our own, where there is one; the supervisor stays."""
        self._looking_back.leave(time.time())
        if self._sampler is not None:
            self._sampler.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _step(self, selected: str | None) -> tuple[Snapshot, list[Message]]:
        """In the bridge's thread: reads everything, keeps alive what has to live, and finds what else is to be told."""
        snapshot = replace(self._reader.read(selected), logout=self._what_logout_does(), is_demo=self._is_demo)
        self._keep_supervisor(snapshot)
        self._keep_sampler(snapshot)
        asked, self._recalls = self._recalls, False
        found = self._looking_back.look(snapshot)
        if asked:
            told: list[Message] = [Remembered(self._looking_back.recall(snapshot), opens=True)]
        else:
            told = [] if found is None else [Remembered(found, opens=self._looking_back.may_interrupt)]
        return snapshot, [*told, *self._ends(snapshot)]

    def _ends(self, snapshot: Snapshot) -> Iterator[RunsEnded]:
        """What ended since the last look; the user's command is started where nobody sees it."""
        ends = () if self._last is None else ends_between(self._last, snapshot)
        if not ends:
            return
        problem = None
        if self._end_command is not None and self._attention.is_unseen:
            try:
                problem = self._end_command.run(ends)
            except StorageFailed as error:  # what ended is shown all the same
                problem = f"notify.command: {error}"
        yield RunsEnded(ends, problem=problem)

    def _keep_supervisor(self, snapshot: Snapshot) -> None:
        """Unfinished work of this machine needs one."""
        now = snapshot.moment.monotonic
        if snapshot.supervisor_pid is not None or now - self._ensured_at < ENSURE_SECONDS:
            return
        if any(one.status in UNFINISHED and one.record["host"] == self._home.host for one in snapshot.runs):
            self._ensured_at = now
            self._supervisor.ensure()

    def _keep_sampler(self, snapshot: Snapshot) -> None:
        """The supervisor has one; without it the gauges need one of ours."""
        if snapshot.supervisor_pid is not None:
            if self._sampler is not None:
                self._sampler.stop()
                self._sampler = None
            return
        if self._sampler is None:
            self._home.prepare()
            seconds = max(self.seconds, snapshot.limits.sample_seconds)
            self._sampler = SamplerProcess(home=self._home, probe=self._probe(), interval_seconds=seconds)
        self._sampler.ensure(time.monotonic())

    def _probe(self) -> str:
        try:
            return machine_probe(self._config_path)
        except ConfigError:
            return "auto"

    def _what_logout_does(self) -> Logout | None:
        """Asked once, and not before something is shown: systemd may take its time to answer."""
        if self._logout is None and self._steps > 0:
            self._logout = what_logout_does(user_name())
        self._steps += 1
        return self._logout

    def _is_news(self, now: Snapshot) -> bool:
        """Whether it differs, or time passes for something that is shown with its seconds."""
        last = self._last
        if last is None or _content(last) != _content(now):
            return True
        if int(last.moment.wall // 60) != int(now.moment.wall // 60):
            return True
        return any(one.status in UNFINISHED for one in now.runs)

    def _keep_trace(self) -> str:
        path = os.path.join(self._home.root, FAULTS)
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(traceback.format_exc())
        except OSError:
            return "nothing: it cannot be written either"
        return path


def _content(snapshot: Snapshot) -> tuple[object, ...]:
    """Everything but the time."""
    return (
        snapshot.runs,
        snapshot.total,
        snapshot.governor,
        snapshot.supervisor_pid,
        snapshot.queue_held,
        snapshot.sample,
        snapshot.histories,
        snapshot.opened,
        snapshot.logout,
    )
