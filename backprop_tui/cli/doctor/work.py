"""Settings, supervisor, guardians and index: whether queued runs get started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from backprop_tui.cli.doctor import Finding, bad, ok, warn
from backprop_tui.client.runs import guardian_problem, split
from backprop_tui.config.check import checked_layers
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.launchers.lease import is_signed_elsewhere, supervisor_pid
from backprop_tui.presentation import numbers
from backprop_tui.store.files import parse_object, read_bytes
from backprop_tui.store.home import Home


def check_settings(user_file: str, directory: str, environment: Mapping[str, str], *, named: bool) -> Iterator[Finding]:
    for layer in checked_layers(user_file, directory, environment, named=named):
        for problem in layer.problems:
            yield bad("settings", str(problem), "fix it there; backprop-tui config check lists all problems")
        for remark in layer.remarks:
            yield warn("settings", f"{layer.name}: {remark}", "it has no effect here")
        if not layer.problems:
            yield ok("settings", layer.name)


def check_work(home: Home) -> Iterator[Finding]:
    unfinished, _ = split(home)
    here = [view for view in unfinished if view.run.host == home.host]
    pid = supervisor_pid(home)
    waiting = counted(len(here), "unfinished run")
    if pid is not None:
        yield ok("supervisor", f"alive, pid {pid}, {waiting}")
    elif not here:
        yield ok("supervisor", "none, and nothing is unfinished; the next run starts one")
    elif is_signed_elsewhere(home) and any(view.live is not None for view in here):
        yield _of_another_machine(home, waiting)
    else:
        yield warn("supervisor", f"none, and {waiting}", "backprop-tui status starts one")
    for view in here:
        problem = guardian_problem(home, view)
        if problem is not None:
            yield warn(
                "guardian", f"{view.run.id} ({view.run.name}): {problem}", f"backprop-tui continue {view.run.id}"
            )


def _of_another_machine(home: Home, waiting: str) -> Finding:
    message = f"{waiting} from another boot, or from another machine that is also called {home.host!r}"
    return warn("supervisor", message, "if it is another machine: set BACKPROP_HOST to a different name on one of them")


def check_index(home: Home) -> Iterator[Finding]:
    try:
        content = read_bytes(home.index)
        if content is not None:
            parse_object(home.index, content)
    except BackpropError as error:
        yield warn("index", str(error), "nothing is lost: it is rebuilt when the next run ends")
        return
    size = 0 if content is None else len(content)
    yield ok("index", "none yet" if content is None else f"{os.path.basename(home.index)}, {numbers.size(size)}")
