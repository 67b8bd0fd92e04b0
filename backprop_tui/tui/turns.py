"""Keys that arrive together are handled one after the other, each where the one before it left the focus.

Textual hands a key to the widget that has the focus when the key arrives. Over a slow line several arrive in one piece:
the letters behind a tab would land in the field that the tab leaves, and the second of two escapes in a dialog that is
gone, which ends the application. So each waits here until the one before it has gone all its way up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from textual import events
from textual.message import Message
from textual.message_pump import MessagePump

Typed = events.Key | events.Paste
HandOn = Callable[[Typed], Awaitable[MessagePump]]

LOOK_SECONDS = 0.01  # between two looks at what is waited for
LIMIT_SECONDS = 0.5  # nothing holds the keyboard up for longer


class Handled(Message):
    """Sent behind a key on its way: where it arrives at the application, the key has been everywhere before it."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turn = turn


class Turns:
    """Keys in their order.

    `hand_on` gives one to Textual and returns who has it first; `is_ready` says whether the screen that is shown can
    take one: a dialog that was just opened has no focus yet.
    """

    def __init__(self, hand_on: HandOn, is_ready: Callable[[], bool], post: Callable[[Message], object]) -> None:
        self._hand_on = hand_on
        self._is_ready = is_ready
        self._post = post
        self._until = 0.0
        self._target: MessagePump | None = None
        self._waiting: deque[Typed] = deque()
        self._turn = 0
        self._is_under_way = False

    async def take(self, event: Typed) -> None:
        """Now, or when those before it are done."""
        self._waiting.append(event)
        if not self._is_under_way:
            await self._next()

    async def handled(self, turn: int) -> None:
        """The key of this turn is done; one that was given up before is of no interest."""
        if not self._is_at(turn):
            return
        target, self._target = self._target, None
        if target is not None and target.post_message(Handled(turn)):
            return  # once more: behind what the widget itself sent on when it had the key
        await asyncio.sleep(0)  # what asks a question in the background has opened its dialog then
        loop = asyncio.get_running_loop()
        if self._is_ready() or loop.time() >= self._until:
            await self._next()
        else:
            loop.call_later(LOOK_SECONDS, self._post, Handled(turn))

    async def _next(self) -> None:
        if not self._waiting:
            self._is_under_way = False
            return
        self._turn += 1
        self._is_under_way = True
        self._until = asyncio.get_running_loop().time() + LIMIT_SECONDS
        self._target = target = await self._hand_on(self._waiting.popleft())
        message = Handled(self._turn)
        if not target.post_message(message):
            self._post(message)
        self._watch(target, self._turn)

    def _watch(self, target: MessagePump, turn: int) -> None:
        """A widget that goes away with its key, as in a dialog that was left, takes what was sent behind it along."""
        loop = asyncio.get_running_loop()

        def look() -> None:
            if not self._is_at(turn):
                return
            if loop.time() >= self._until or not target.is_attached:
                self._target = None
                self._post(Handled(turn))
            else:
                self._watch(target, turn)

        loop.call_later(LOOK_SECONDS, look)

    def _is_at(self, turn: int) -> bool:
        return self._is_under_way and turn == self._turn
