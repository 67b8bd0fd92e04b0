"""Everything this program raises on purpose.

```
BackpropError
├── UsageError           2   a wrong option, value or combination
│   └── UnknownRun       2   no run, or several, by that name
├── NotFound            66   the script or command is not there or not readable
├── StateUnavailable    73   the state directory cannot be made, written or locked
├── StorageFailed       74   disk full, or another input/output error of ours
└── InternalError       70   our own fault
    ├── IllegalTransition
    └── BrokenRecord         a file of ours that does not say what it should
```
"""

from __future__ import annotations


class BackpropError(Exception):
    """Something the user is told in one line; `exit_code` is the documented one."""

    exit_code = 70


class UsageError(BackpropError):
    """The command, an option or the configuration is wrong; the message says what to do."""

    exit_code = 2


class UnknownRun(UsageError):
    """No run, or more than one, answers to the handle."""


class NotFound(BackpropError):
    """The script or command does not exist or cannot be read."""

    exit_code = 66


class StateUnavailable(BackpropError):
    """The state directory cannot be made, written or locked."""

    exit_code = 73


class StorageFailed(BackpropError):
    """Writing failed: disk full or another input/output error."""

    exit_code = 74


class InternalError(BackpropError):
    """A fault of this program."""


class IllegalTransition(InternalError):
    """A run was asked to go from a status to one that cannot follow it."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"a run cannot go from {old} to {new}")
        self.old, self.new = old, new


class BrokenRecord(InternalError):
    """A file of the store is not what it should be."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem
