"""The only place that writes to stdout."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterable, Sequence


def line(text: str = "") -> None:
    """One line of text for a person or a script."""
    sys.stdout.write(text + "\n")


def json_value(value: object) -> None:
    """One JSON value, indented for people who look and parsed as well by programs."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def json_line(value: object) -> None:
    """One JSON value on one line, at once: somebody follows."""
    sys.stdout.write(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")
    sys.stdout.flush()


def raw(content: bytes | memoryview) -> None:
    """Bytes as they are, past the text layer, at once, however long the reader takes.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    sys.stdout.flush()
    view = memoryview(content)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


def accept(content: memoryview) -> int:
    """Writes as much as the reader takes without making us wait; how many bytes that was.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    descriptor = sys.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    written = 0
    # A pipe that is ready takes so much at least; a terminal held by Ctrl-S is not ready. See pipe(7).
    while written < len(content) and poll.poll(0):
        written += os.write(descriptor, content[written : written + select.PIPE_BUF])
    return written


def wait(seconds: float, *, for_reader: bool, others: Iterable[int] = ()) -> list[int]:
    """Waits until one of the other descriptors is ready, or the reader takes more where that is waited for.

    Returns those of the others that are ready.

    Raises:
        BrokenPipeError: nobody can read what we write any more; seen even while there is nothing to write.
    """
    descriptor = sys.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if for_reader else 0)
    for other in others:
        poll.register(other, select.POLLIN)
    ready = dict(poll.poll(seconds * 1000))
    if ready.pop(descriptor, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
        raise BrokenPipeError
    return list(ready)


def is_terminal() -> bool:
    """Whether a person sees stdout."""
    return sys.stdout.isatty()


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> None:
    """Columns as wide as their widest cell, two spaces apart; `right` names the columns aligned to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        padded = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        line("  ".join(padded).rstrip())


def flush() -> None:
    """Everything that was written reaches its reader.

    Raises:
        BrokenPipeError: nobody reads any more.
        OSError: the disk it goes to is full.
    """
    sys.stdout.flush()


def leave(*, discard: bool) -> None:
    """The last thing done: what nobody can read must not be tried again at exit, which would change the exit code."""
    try:
        if not discard:
            sys.stdout.flush()
            return
    except OSError:
        pass
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
