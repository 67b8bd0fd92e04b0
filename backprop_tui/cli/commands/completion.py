"""`completion`: prints what a shell needs to complete commands, options, choices and files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from backprop_tui.cli import output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.parser import full_parser
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError

SUMMARY = "print the completion script of a shell"

_SHELLS = ("bash", "zsh", "fish")
_HOW = """to use it, once:
  bash: backprop-tui completion bash > ~/.local/share/bash-completion/completions/backprop-tui
  zsh:  backprop-tui completion zsh > ~/.zfunc/_backprop-tui   (with `fpath+=~/.zfunc` before compinit in ~/.zshrc)
  fish: backprop-tui completion fish > ~/.config/fish/completions/backprop-tui.fish"""
# The kind of an argument's value, by its name in the help.
_FILES, _FOLDERS, _RUNS = frozenset({"SCRIPT", "PATH"}), frozenset({"DIR"}), frozenset({"RUN", "RUN[:any]"})
_RUNS_COMMAND = "backprop-tui list --handles 2>/dev/null"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=_SHELLS, help="the shell")
    parser.epilog = _HOW
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def execute(arguments: argparse.Namespace, _session: Session) -> int:
    import shtab

    if arguments.shell not in shtab.SUPPORTED_SHELLS:
        known = ", ".join(shtab.SUPPORTED_SHELLS)
        raise UsageError(f"completion: shtab {shtab.__version__} supports {known}", "for more: pip install -U shtab")
    parser = full_parser()
    values = dict.fromkeys(_FILES, shtab.FILE) | dict.fromkeys(_FOLDERS, shtab.DIRECTORY)
    if hasattr(shtab, "cmd"):  # shtab 1.10
        values |= dict.fromkeys(_RUNS, shtab.cmd(_RUNS_COMMAND))
    for action in _actions(parser):
        if action.metavar in values:
            action.complete = values[action.metavar]  # an attribute that shtab reads
    output.line(str(shtab.complete(parser, shell=arguments.shell)).rstrip("\n"))
    return OK


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way, and shtab does the same
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for subparser in action.choices.values():
                yield from _actions(subparser)
