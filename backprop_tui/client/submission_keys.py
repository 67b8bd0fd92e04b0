"""Refuses a submission key that was used before with another command, options or script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprop_tui.domain.arguments import POSITIONAL
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.run import Queued, Run
from backprop_tui.store.option_table import options_of
from backprop_tui.store.records import public

# What changes by itself, or is chosen for each submission.
_IGNORED = frozenset({"git", "host", "gpus", "group", "python_origin", "visible_gpus", "found_resume_arg"})
_CONTENT = "script's content"
_MAX_NAMED = 3  # differences in the message


def requested_options(run: Run) -> dict[str, str]:
    """The options of a run by name, as its key records them."""
    options = {name: value for name, value in options_of(public(run, ""), run).items() if name not in _IGNORED}
    origin = run.spec.python_origin
    if origin is not None and not origin.startswith(("--python", "run.python")):
        options.pop("program", None)  # found in the environment of the shell
    if isinstance(run.state, Queued) and run.state.resume_from is not None:
        options["resume_from"] = run.state.resume_from
    return options


def check_same_request(
    key: str, run_ids: Sequence[str], before: Sequence[Mapping[str, str]], runs: Sequence[Run]
) -> None:
    """Raises UsageError with the differences if the key was used before for other runs than these.

    `before` are the options of those earlier runs; empty if they were not recorded.
    """
    if before and len(before) != len(runs):
        raise UsageError(
            f"--key {key}: used before for {counted(len(before), 'run')}, and this makes {len(runs)}",
            "use another key",
        )
    for run_id, there, run in zip(run_ids, before, runs, strict=False):
        here = requested_options(run)
        names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
        if names:
            differences = ", ".join(_difference(name, there.get(name), here.get(name)) for name in names[:_MAX_NAMED])
            more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
            raise UsageError(
                f"--key {key}: used for run {run_id} with {_what(names)}: {differences}{more}",
                "use another key for this",
            )


def _what(names: Sequence[str]) -> str:
    if names == [_CONTENT]:
        return "another version of its script"
    is_command = any(name in ("script", "program") or _is_argument(name) for name in names)
    return "another command" if is_command else "other options"


def _is_argument(name: str) -> bool:
    return name.startswith(POSITIONAL) or (name.startswith("-") and not name.startswith("--env "))


def _difference(name: str, there: str | None, here: str | None) -> str:
    if name == _CONTENT:
        return "its content has changed"
    return f"{_shown(name, there)} there, {_shown(name, here)} here"


def _shown(name: str, value: str | None) -> str:
    if value is None:
        return f"no {name}"
    if _is_argument(name):
        return f"'{value}'" if name.startswith(POSITIONAL) else f"'{name} {value}'" if value != "yes" else f"'{name}'"
    return f"{name.rpartition('.')[2]} {value}"
