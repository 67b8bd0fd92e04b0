"""What is wrong with the guardian of a run, as far as others can see."""

from __future__ import annotations

from backprop_tui.launchers.lease import holds_open
from backprop_tui.processes.identity import state_of
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import RunView

_STOPPED = (b"T", b"t")


def guardian_problem(home: Home, one: RunView) -> str | None:
    """Why nobody looks after the run, or what its guardian cannot do; None where all is well or nothing is known."""
    live = one.live
    if live is None or one.run.host != home.host or live.clock.boot_id != boot_id():
        return None
    lock = RunDirectory(home.run_folder(one.run.id)).lock_path
    if state_of(live.runner_pid) in _STOPPED and holds_open(live.runner_pid, lock):
        return f"guardian stopped, so that nobody keeps its timebox; backprop-tui continue {one.run.id} wakes it"
    return live.problem
