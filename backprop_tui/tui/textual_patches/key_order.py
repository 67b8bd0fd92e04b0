"""Handles keys that arrive together one after the other, each with the focus that the one before it left.

Textual sends a key to the widget that has the focus when the key arrives (see its issues #1199 and #4704, both closed).
Over a slow line several keys arrive in one piece: the letters behind a tab would land in the field that the tab leaves,
and the second of two escapes in a dialog that is already closed, which ends the application. So each key waits here
until the one before it has been handled everywhere.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from textual import events
from textual.message import Message
from textual.message_pump import MessagePump

KeyOrPaste = events.Key | events.Paste
Dispatch = Callable[[KeyOrPaste], Awaitable[MessagePump]]

POLL_SECONDS = 0.01
LIMIT_SECONDS = 0.5  # a key that is not done by then no longer holds up the others
READY_SECONDS = 5.0  # nor does a screen that cannot take keys for so long


class KeyHandled(Message):
    """Sent behind a key; when it arrives at the application, the key has been handled everywhere."""

    def __init__(self, sequence: int) -> None:
        super().__init__()
        self.sequence = sequence


class KeyQueue:
    """Dispatches keys strictly in order.

    `dispatch` hands a key to Textual and returns the widget that gets it first; `is_ready` says whether the current
    screen can take a key: a dialog that was just opened has no focus yet, and one that was submitted is about to close.
    """

    def __init__(self, dispatch: Dispatch, is_ready: Callable[[], bool], post: Callable[[Message], object]) -> None:
        self._dispatch = dispatch
        self._is_ready = is_ready
        self._post = post
        self._began = 0.0
        self._target: MessagePump | None = None
        self._waiting: deque[KeyOrPaste] = deque()
        self._sequence = 0
        self._is_busy = False

    @property
    def is_empty(self) -> bool:
        """Whether no key waits for the one before it."""
        return not self._waiting

    async def put(self, event: KeyOrPaste) -> None:
        self._waiting.append(event)
        if not self._is_busy:
            self._is_busy, self._began = True, asyncio.get_running_loop().time()
            await self._dispatch_when_ready()

    async def handled(self, sequence: int) -> None:
        """Continues after this key; ignored when it was given up before."""
        if not self._is_current(sequence):
            return
        target, self._target = self._target, None
        if target is not None and target.post_message(KeyHandled(sequence)):
            return  # once more, behind the messages that the widget posted while it handled the key
        await asyncio.sleep(0)  # lets a background task open its dialog
        await self._dispatch_when_ready()

    async def _dispatch_when_ready(self) -> None:
        """Waits for a screen that is not mounted yet: the first one, or a dialog."""
        loop = asyncio.get_running_loop()
        if self._is_ready() or loop.time() >= self._began + READY_SECONDS:
            await self._dispatch_next()
        else:
            loop.call_later(POLL_SECONDS, self._post, KeyHandled(self._sequence))

    async def _dispatch_next(self) -> None:
        if not self._waiting:
            self._is_busy = False
            return
        self._sequence += 1
        self._is_busy = True
        self._began = asyncio.get_running_loop().time()
        self._target = target = await self._dispatch(self._waiting.popleft())
        message = KeyHandled(self._sequence)
        if not target.post_message(message):
            self._post(message)
        self._watch(target, self._sequence)

    def _watch(self, target: MessagePump, sequence: int) -> None:
        """Continues when the widget is removed while it handles its key: the message behind the key is lost then."""
        loop = asyncio.get_running_loop()

        def poll() -> None:
            if not self._is_current(sequence):
                return
            if loop.time() >= self._began + LIMIT_SECONDS or not target.is_attached:
                self._target = None
                self._post(KeyHandled(sequence))
            else:
                self._watch(target, sequence)

        loop.call_later(POLL_SECONDS, poll)

    def _is_current(self, sequence: int) -> bool:
        return self._is_busy and sequence == self._sequence
