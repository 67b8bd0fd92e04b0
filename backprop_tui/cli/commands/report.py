"""`report`: where the module for training scripts is, or a copy of it beside them."""

from __future__ import annotations

import argparse
import os
import shlex

import backprop_tui
from backprop_tui.cli import output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.store.files import storage

SUMMARY = "print the path of the module that training scripts may import, or copy it to a directory"

NAME = "backprop_report.py"
_SOURCE = os.path.join(os.path.dirname(backprop_tui.__file__), "report.py")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", nargs="?", help=f"copy it there, as {NAME}")
    parser.epilog = "The copy needs only Python 3.8 or newer: import backprop_report as report"


def execute(arguments: argparse.Namespace, session: Session) -> int:
    path = _SOURCE
    if arguments.directory is not None:
        path = os.path.abspath(os.path.join(arguments.directory, NAME))
        _copy(path, dry_run=session.dry_run)
    if session.json:
        output.json_value({"path": path})
    else:
        output.data(path)
    return OK


def _copy(path: str, *, dry_run: bool) -> None:
    """Writes the module; an older copy of it is replaced, but no other file."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise UsageError(f"{directory} is not a directory", f"mkdir -p {shlex.quote(directory)}")
    with open(_SOURCE, encoding="utf-8") as file:
        source = file.read()
    with storage(path):
        if os.path.lexists(path) and not _is_copy(path, source):
            raise UsageError(f"{path} exists, and is another file", "move it away, or name another DIR")
        if not dry_run:
            with open(path, "w", encoding="utf-8") as file:
                file.write(source)


def _is_copy(path: str, source: str) -> bool:
    """Whether the file has the first line of the module, whatever its version."""
    with open(path, "rb") as file:
        return file.readline() == source.encode().partition(b"\n")[0] + b"\n"
