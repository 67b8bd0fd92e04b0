"""Starts a supervisor from a guardian, without making it the guardian's descendant."""

from __future__ import annotations

import os

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.linux import become_subreaper, stop_as_subreaper


def start_supervisor_if_dead(supervisor: SupervisorProcess) -> bool:
    """Starts a supervisor if none is alive; returns whether it did.

    A descendant would be paused and killed together with the run, and with it every guardian that it starts. So a child
    starts the supervisor and exits at once, while this process is no subreaper. Orphans that the script leaves in that
    moment are not adopted by this process either.

    Raises:
        StateUnavailable: it could not be started.
    """
    if supervisor.is_alive():
        return False
    stop_as_subreaper()
    try:
        pid = os.fork()
        if pid == 0:
            _start_and_exit(supervisor)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        become_subreaper()
    if code != 0:
        raise StateUnavailable("the supervisor could not be started; see supervisor.log")
    return True


def _start_and_exit(supervisor: SupervisorProcess) -> None:
    code = 70
    try:
        supervisor.ensure()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the boundary of a process: nothing above it but os._exit
        note_exception(error)
    finally:
        os._exit(code)
