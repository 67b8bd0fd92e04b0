"""`completion`: the completion scripts of the shells and the manual page, printed or installed for this user."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.parser import full_parser
from backprop_tui.cli.session import Session
from backprop_tui.config.sources import user_folder
from backprop_tui.domain.errors import UsageError
from backprop_tui.store.files import storage

SUMMARY = "install tab completion and the manual page, or print them"

_SHELLS = ("bash", "zsh", "fish")
_MANUAL, _INSTALL, _UNINSTALL = "man", "install", "uninstall"
# Where bash-completion, fish and man look; zsh has no folder of its own for users.
_FILES_IN_DATA = {
    "bash": "bash-completion/completions/backprop-tui",
    "zsh": "zsh/site-functions/_backprop-tui",
    _MANUAL: "man/man1/backprop-tui.1",
}
_FISH_FILE = "fish/completions/backprop-tui.fish"
# The kind of an argument's value, by its name in the help.
_FILES, _FOLDERS, _RUNS = frozenset({"SCRIPT", "PATH"}), frozenset({"DIR"}), frozenset({"RUN", "RUN[:any]"})
_RUNS_COMMAND = "backprop-tui list --handles 2>/dev/null"
_MANPATH_SECONDS = 5.0
_BASH_COMPLETION = ("/usr/share/bash-completion", "/usr/local/share/bash-completion", "/etc/bash_completion")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="ACTION",
        choices=(_INSTALL, _UNINSTALL, *_SHELLS, _MANUAL),
        help="install: write all of them to your home, for the shells that are installed; uninstall: remove them; "
        "bash, zsh, fish, man: print one",
    )


def execute(arguments: argparse.Namespace, session: Session) -> int:
    if arguments.what == _INSTALL:
        return _install(session)
    if arguments.what == _UNINSTALL:
        return _uninstall(session)
    output.data(_content(arguments.what).rstrip("\n"))
    return OK


def _content(what: str) -> str:
    if what == _MANUAL:
        from backprop_tui.cli.manual import manual

        return manual()
    import shtab

    if what not in shtab.SUPPORTED_SHELLS:
        known = ", ".join(shtab.SUPPORTED_SHELLS)
        raise UsageError(f"completion: shtab {shtab.__version__} supports {known}", "for more: pip install -U shtab")
    parser = full_parser()
    values = dict.fromkeys(_FILES, shtab.FILE) | dict.fromkeys(_FOLDERS, shtab.DIRECTORY)
    if hasattr(shtab, "cmd"):  # shtab 1.10
        values |= dict.fromkeys(_RUNS, shtab.cmd(_RUNS_COMMAND))
    for action in _actions(parser):
        if action.metavar in values:
            action.complete = values[action.metavar]  # an attribute that shtab reads
    return str(shtab.complete(parser, shell=what)).rstrip("\n") + "\n"


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way, and shtab does the same
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for subparser in action.choices.values():
                yield from _actions(subparser)


def _install(session: Session) -> int:
    paths = {what: _path(what) for what in (*filter(shutil.which, _SHELLS), _MANUAL)}
    for what, path in paths.items():
        content = _content(what)
        if not session.dry_run:
            with storage(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)
    if session.json:
        output.json_value({"files": list(paths.values()), "written": not session.dry_run})
        return OK
    for path in paths.values():
        output.data(path)
    advice = list(_advice(paths))
    for line in advice:
        diagnostics.say(line)
    written = "would be written" if session.dry_run else "written"
    diagnostics.say(f"{written}; new shells complete backprop-tui{', after the steps above' if advice else ''}")
    diagnostics.say("to remove them: backprop-tui completion uninstall")
    return OK


def _uninstall(session: Session) -> int:
    paths = [path for path in map(_path, (*_SHELLS, _MANUAL)) if os.path.lexists(path)]
    for path in paths:
        if not session.dry_run:
            with storage(path):
                os.unlink(path)
    if session.json:
        output.json_value({"files": paths, "removed": not session.dry_run})
        return OK
    for path in paths:
        output.data(path)
    diagnostics.say(("would be removed" if session.dry_run else "removed") if paths else "not installed")
    return OK


def _path(what: str) -> str:
    if what == "fish":
        return os.path.join(user_folder("XDG_CONFIG_HOME", "~/.config"), _FISH_FILE)
    return os.path.join(user_folder("XDG_DATA_HOME", "~/.local/share"), _FILES_IN_DATA[what])


def _advice(paths: dict[str, str]) -> Iterator[str]:
    """What is to be done where a program does not look into the folder by itself."""
    if "bash" in paths and not any(map(os.path.exists, _BASH_COMPLETION)):
        yield "bash: the package bash-completion is missing; on Debian and Ubuntu:\n  sudo apt install bash-completion"
    if "zsh" in paths:
        folder = shlex.quote(os.path.dirname(paths["zsh"]))
        yield f"zsh: add this to ~/.zshrc, before compinit:\n  fpath+=({folder})"
    folder = os.path.dirname(os.path.dirname(paths[_MANUAL]))
    if folder not in _manual_folders():
        yield f'man: add this to ~/.profile:\n  export MANPATH="{folder}:$MANPATH"'


def _manual_folders() -> list[str]:
    """Where man(1) looks; empty if it cannot be asked."""
    try:
        asked = subprocess.run(["manpath", "-q"], capture_output=True, text=True, timeout=_MANPATH_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return asked.stdout.strip().split(":")
