"""Fakes of the bridge and of the commands: nothing is read, and no command is run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backprop_tui.config.files import Setting
from backprop_tui.config.keys import KEYS
from backprop_tui.config.load import Settings
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.run import Run
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.bridge import Bridge, Post
from backprop_tui.tui.commands import CommandResult, CommandRunner, StartVerdict
from backprop_tui.tui.snapshot import Snapshot
from tests.tui.snapshots import stored


class FakeBridge(Bridge):
    """Returns the snapshot of the test."""

    def __init__(self, now: Snapshot) -> None:
        self.now = now
        self.selected: list[str | None] = []
        self.looks = 0
        self.recalls = 0
        self.seen_failures: set[str] = set()
        self.post: Post | None = None

    def first(self) -> Snapshot:
        return self.now

    def select(self, run_id: str | None) -> None:
        self.selected.append(run_id)

    def look(self) -> None:
        self.looks += 1

    def request_digest(self) -> None:
        self.recalls += 1

    async def follow(self, post: Post) -> None:
        self.post = post
        await asyncio.Event().wait()

    def close(self) -> None:
        self.post = None


DONE = CommandResult(done=True, message="done")


class FakeCommands(CommandRunner):
    """Records the requests and returns `result`; `settings`, `status` and `doctor` return what a test sets."""

    def __init__(self, result: CommandResult = DONE) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.config_path = "/home/anna/config.toml"
        self.result = result
        self.verdict = StartVerdict(starts=1, runs=1, message="starts now", python="/py: the environment")
        self.refusal = ""  # of the dry run
        self.stored: Run | None = None

    def _record(self, *call: object) -> CommandResult:
        self.calls.append(call)
        return self.result

    async def stop(self, run_ids: Sequence[str], *, now: bool = False, after_checkpoint: bool = False) -> CommandResult:
        return self._record("stop", *run_ids, *["now"] * now, *["after_checkpoint"] * after_checkpoint)

    async def pause(self, run_ids: Sequence[str]) -> CommandResult:
        return self._record("pause", *run_ids)

    async def continue_(self, run_ids: Sequence[str]) -> CommandResult:
        return self._record("continue", *run_ids)

    async def edit(self, run_ids: Sequence[str], **changes: Any) -> CommandResult:
        return self._record("edit", *run_ids, changes)

    async def resume(self, run_ids: Sequence[str]) -> CommandResult:
        return self._record("resume", *run_ids)

    async def run_again(self, run_ids: Sequence[str]) -> CommandResult:
        return self._record("run_again", *run_ids)

    async def undo(self) -> CommandResult:
        return self._record("undo")

    async def load_run(self, run_id: str) -> Run:
        self._record("load_run", run_id)
        return self.stored or stored(run_id)

    async def remove(self, run_ids: Sequence[str]) -> CommandResult:
        return self._record("remove", *run_ids)

    async def move(self, run_id: str, position: int) -> CommandResult:
        return self._record("move", run_id, position)

    async def set_queue(self, *, held: bool) -> CommandResult:
        return self._record("hold" if held else "release")

    async def submit(self, words: Sequence[str]) -> CommandResult:
        result = self._record("run", *words)
        return replace(result, run_ids=("abcd2345",)) if result.done else result

    async def dry_run(self, words: Sequence[str]) -> StartVerdict:
        self._record("dry_run", *words)
        if self.refusal:
            raise UsageError(self.refusal)
        return self.verdict

    async def set_config(self, key: str, value: str) -> CommandResult:
        return self._record("set_config", key, value)

    async def settings(self) -> Settings:
        return Settings({name: Setting(key.default, "default") for name, key in KEYS.items()})

    async def status(self) -> JsonObject:
        self._record("status")
        return {"host": {}}

    async def doctor(self) -> Sequence[str]:
        self._record("doctor")
        return "first line", "second line"
