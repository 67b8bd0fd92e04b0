"""What the main screen wants of the bridge."""

from __future__ import annotations

from textual.message import Message


class Wanted(Message):
    """The story of a run is wanted; or to `look` at all at once, the `digest` of an absence, the `demo`."""

    def __init__(
        self, run_id: str | None = None, *, look: bool = False, digest: bool = False, demo: bool = False
    ) -> None:
        super().__init__()
        self.run_id = run_id
        self.look = look
        self.digest = digest
        self.demo = demo
