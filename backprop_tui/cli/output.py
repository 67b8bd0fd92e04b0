"""The only place that writes to stdout."""

from __future__ import annotations

import json
import os
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


def raw(content: bytes) -> None:
    """Bytes as they are, past the text layer, at once.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    sys.stdout.flush()
    view = memoryview(content)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


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
