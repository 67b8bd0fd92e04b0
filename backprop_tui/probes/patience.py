"""A call that may hang for ever, made in a daemon thread of its own, so that whoever waits can give up."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from backprop_tui.domain.values import dataclass

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The call has not returned yet; `seconds` since it was asked."""

    seconds: float


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


class PatientCall(Generic[Answer]):
    """The same call again and again, one at a time: while one hangs no other begins, so that threads never pile up."""

    def __init__(self, call: Callable[[], Answer], *, name: str) -> None:
        """`name` is the thread's, for whoever looks at a process that hangs."""
        self._call = call
        self._name = name
        self._questions: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[Answer | _Raised] = SimpleQueue()
        self._asked_at: float | None = None
        self._started = False

    @property
    def pending(self) -> bool:
        """Whether a call was asked for whose answer was not taken."""
        return self._asked_at is not None

    def ask(self) -> None:
        """Begins the call, unless the one before has not been answered."""
        if self.pending:
            return
        if not self._started:
            self._started = True
            Thread(target=self._serve, name=self._name, daemon=True).start()
        self._asked_at = time.monotonic()
        self._questions.put(True)

    def take(self, seconds: float) -> Answer | Unanswered:
        """The answer to the call that was asked for, waited for no longer than this.

        Raises:
            Whatever the call raised.
        """
        if self._asked_at is None:
            raise RuntimeError(f"{self._name}: taken before it was asked")
        try:
            answer = self._answers.get(timeout=max(0.0, seconds))
        except Empty:
            return Unanswered(seconds=time.monotonic() - self._asked_at)
        self._asked_at = None
        if isinstance(answer, _Raised):
            raise answer.error
        return answer

    def end(self) -> None:
        """Lets the thread go, once the call has returned; nothing may be asked after this."""
        self._questions.put(False)

    def _serve(self) -> None:
        while self._questions.get():
            try:
                answer: Answer | _Raised = self._call()
            except BaseException as error:  # noqa: BLE001 raised again where the answer is taken
                answer = _Raised(error)
            self._answers.put(answer)
