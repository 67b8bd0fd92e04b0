"""Fakes of the bridge and of the commands: nothing is read, and no command is run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from backprop_tui.tui.bridge import Post
from backprop_tui.tui.requests import Said
from backprop_tui.tui.snapshot import Snapshot


@dataclass
class FakeBridge:
    """Returns the snapshot of the test."""

    now: Snapshot
    selected: list[str | None] = field(default_factory=list)
    looks: int = 0
    recalls: int = 0
    post: Post | None = None

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


@dataclass
class FakeDesk:
    """Records the requests."""

    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def ask(self, *words: str) -> Said:
        self.asked.append(words)
        return Said(done=True, words="done")
