"""The exceptions of this program, with their exit codes."""

from __future__ import annotations


class BackpropError(Exception):
    """An error that is shown to the user in one line; `exit_code` is the documented exit code."""

    exit_code = 70


class UsageError(BackpropError):
    """The command, an option or the configuration is wrong; the message says what to do."""

    exit_code = 2


class UnknownRun(UsageError):
    """No run, or more than one, matches the handle."""


class NotFound(BackpropError):
    """The script or command does not exist or cannot be read."""

    exit_code = 66


class StateUnavailable(BackpropError):
    """The state directory cannot be created, written or locked."""

    exit_code = 73


class StorageFailed(BackpropError):
    """Writing failed: disk full or another input/output error."""

    exit_code = 74


class InternalError(BackpropError):
    """A bug in this program."""


class IllegalTransition(InternalError):
    """A run cannot change from one status to the other."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"a run cannot change from {old} to {new}")
        self.old, self.new = old, new


class BrokenRecord(InternalError):
    """A file of the store has unexpected content."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem
