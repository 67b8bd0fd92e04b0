"""Fakes of the bridge and of the commands: nothing is read, and no command is run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backprop_tui.config.files import Setting
from backprop_tui.config.keys import KEYS
from backprop_tui.config.load import Settings
from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.domain.errors import UsageError
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.absence import AbsenceDigest, DigestRun
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.bridge import Bridge, ListChoices, Post
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.layout import RulePlace
from backprop_tui.tui.run_requests import RunSource
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.start_verdict import StartVerdict


class FakeBridge(Bridge):
    """Returns the snapshot of the test."""

    def __init__(self, now: Snapshot) -> None:
        self.now = now
        self.selected: list[str | None] = []
        self.looks = 0
        self.recalls = 0
        self.seen_failures: set[str] = set()
        self.list_choices = ListChoices()
        self.post: Post | None = None
        self.rule = RulePlace()
        self.remembered: list[RulePlace] = []

    def remember_rule(self) -> None:
        self.remembered.append(self.rule)

    def first(self) -> Snapshot:
        return self.now

    def select(self, run_id: str | None) -> None:
        self.selected.append(run_id)

    def look(self) -> None:
        self.looks += 1

    def digest_without_events(self, snapshot: Snapshot) -> AbsenceDigest:
        runs = tuple(DigestRun(run=run) for run in snapshot.runs)
        return AbsenceDigest(since=snapshot.moment.wall - 60, until=snapshot.moment.wall, runs=runs)

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
        self.source: RunSource | None = None
        self.unreadable = False  # whether no record can be read
        self.recent: list[tuple[str, ...]] = []
        self.options: tuple[str, ...] = ()  # of the script

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

    async def pin_baseline(self, run_id: str, group: str, *, pinned: bool, name: str) -> CommandResult:
        return self._record("pin" if pinned else "unpin", run_id, group, name)

    async def resume(self, run_ids: Sequence[str]) -> CommandResult:
        return self._record("resume", *run_ids)

    async def run_again(self, run_ids: Sequence[str]) -> CommandResult:
        return self._record("run_again", *run_ids)

    async def undo(self) -> CommandResult:
        return self._record("undo")

    async def remove(self, run_ids: Sequence[str]) -> CommandResult:
        return self._record("remove", *run_ids)

    async def move(self, run_ids: Sequence[str], by: int) -> CommandResult:
        return self._record("move", *run_ids, by)

    async def set_queue(self, *, held: bool) -> CommandResult:
        return self._record("hold" if held else "release")

    async def submit(self, words: Sequence[str]) -> CommandResult:
        result = self._record("run", *words)
        return replace(result, run_ids=("abcd2345",)) if result.done else result

    async def run_source(self, run_id: str, *, to_edit: bool = False) -> RunSource:
        if self.unreadable:
            raise UsageError(f"run {run_id} cannot be read")
        source = self.source or RunSource(run_id=run_id, name=run_id, words=("train.py",), syntax=OptionSyntax())
        return replace(source, run_id=run_id, to_edit=to_edit)

    async def recent_commands(self) -> list[tuple[str, ...]]:
        return self.recent

    async def change_queued(self, run_id: str, words: Sequence[str]) -> CommandResult:
        return self._record("change", run_id, *words)

    async def dry_run(self, *lines: Sequence[str]) -> StartVerdict:
        for words in lines:
            self._record("dry_run", *words)
        if self.refusal:
            raise UsageError(self.refusal)
        starts, runs = self.verdict.starts * len(lines), self.verdict.runs * len(lines)
        return replace(self.verdict, starts=starts, runs=runs)

    async def script_options(self, words: Sequence[str]) -> tuple[str, ...]:
        return self.options

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
