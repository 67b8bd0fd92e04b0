"""What the main screen wants of the bridge."""

from __future__ import annotations

from textual.message import Message


class Wanted(Message):
    """The story of a run is wanted; with `look`, that all is read at once; with `digest`, what an absence missed."""

    def __init__(self, run_id: str | None, *, look: bool = False, digest: bool = False) -> None:
        super().__init__()
        self.run_id = run_id
        self.look = look
        self.digest = digest
