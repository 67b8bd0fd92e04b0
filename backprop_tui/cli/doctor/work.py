"""Settings, supervisor, guardians: whether what is queued goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from backprop_tui.cli.doctor.findings import Finding, bad, ok, warn
from backprop_tui.cli.guardian_state import guardian_problem
from backprop_tui.cli.records import split
from backprop_tui.cli.settings_check import checked_layers
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.launchers.lease import is_signed_elsewhere, supervisor_pid
from backprop_tui.presentation import numbers
from backprop_tui.store.files import parse_object, read_bytes
from backprop_tui.store.home import Home


def look_at_settings(
    user_file: str, directory: str, environment: Mapping[str, str], *, named: bool
) -> Iterator[Finding]:
    """Every place where settings come from."""
    for layer in checked_layers(user_file, directory, environment, named=named):
        for problem in layer.problems:
            yield bad("settings", str(problem), "mend it there; backprop-tui config check tells all of them")
        for remark in layer.remarks:
            yield warn("settings", f"{layer.name}: {remark}", "it has no effect here")
        if not layer.problems:
            yield ok("settings", layer.name)


def look_at_work(home: Home) -> Iterator[Finding]:
    """The supervisor and what it is for."""
    unfinished, _ = split(home)
    here = [one for one in unfinished if one.run.host == home.host]
    pid = supervisor_pid(home)
    waiting = counted(len(here), "unfinished run")
    if pid is not None:
        yield ok("supervisor", f"alive, pid {pid}, {waiting}")
    elif not here:
        yield ok("supervisor", "none, and nothing is unfinished; the next run starts one")
    elif is_signed_elsewhere(home) and any(one.live is not None for one in here):
        yield _of_another_machine(home, waiting)
    else:
        yield warn("supervisor", f"none, and {waiting}", "backprop-tui status starts one")
    for one in here:
        problem = guardian_problem(home, one)
        if problem is not None:
            yield warn("guardian", f"{one.run.id} ({one.run.name}): {problem}", f"backprop-tui continue {one.run.id}")


def _of_another_machine(home: Home, waiting: str) -> Finding:
    message = f"{waiting} of another boot, or of another machine that is called {home.host!r} too"
    return warn("supervisor", message, "if it is another machine: export BACKPROP_HOST with a name of its own on one")


def look_at_index(home: Home) -> Iterator[Finding]:
    """experiments.json: there, or broken."""
    try:
        content = read_bytes(home.index)
        if content is not None:
            parse_object(home.index, content)
    except BackpropError as error:
        yield warn("index", str(error), "nothing is lost: the next run that ends builds it anew")
        return
    size = 0 if content is None else len(content)
    yield ok("index", "none yet" if content is None else f"{os.path.basename(home.index)}, {numbers.size(size)}")
