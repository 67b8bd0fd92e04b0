"""Starts a supervisor that is no descendant of the guardian who notices that none lives."""

from __future__ import annotations

import os

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.linux import become_subreaper, cease_as_subreaper


def start_supervisor_if_dead(supervisor: SupervisorProcess) -> bool:
    """Starts a supervisor where none lives; says whether it did.

    A descendant would be paused, swept and killed with the run, and with it every guardian that it starts. So a child
    starts it and dies at once, while this process fosters nobody. What the script orphans meanwhile escapes too.

    Raises:
        StateUnavailable: it could not be started.
    """
    if supervisor.lives():
        return False
    cease_as_subreaper()
    try:
        pid = os.fork()
        if pid == 0:
            _start(supervisor)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        become_subreaper()
    if code != 0:
        raise StateUnavailable("no supervisor could be started; supervisor.log says why")
    return True


def _start(supervisor: SupervisorProcess) -> None:
    """Never returns."""
    code = 70
    try:
        supervisor.ensure()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the boundary of a process: nothing above it but os._exit
        note_exception(error)
    finally:
        os._exit(code)
