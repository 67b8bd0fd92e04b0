"""The supervisor's program: `python -I -S supervise.py ROOT HOST CONFIG`, with its lease on descriptor 3.

It uses the standard library alone. It forks the fork server while it is small, makes its first pass, and only then
loads asyncio: so the first run on an idle machine waits for one Python to start, not for two.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backprop_tui.launchers.supervisor_process import SupervisorProcess
    from backprop_tui.store.locks import Lock


def main(arguments: list[str]) -> None:
    """Supervises until no run is unfinished."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    import backprop_tui.domain.lazy_dataclass  # noqa: F401 - first, since it loads `dataclasses` faster
    from backprop_tui.launchers.lease import sign_lease
    from backprop_tui.launchers.supervisor_process import INHERITED_LOCK, SupervisorProcess
    from backprop_tui.store.failures import SUPERVISOR, describe, forget_failures, note_failure
    from backprop_tui.store.home import Home
    from backprop_tui.store.locks import Lock

    root, host, config_path = arguments
    home = Home(root, host)
    try:
        _detach(INHERITED_LOCK)
        os.set_inheritable(INHERITED_LOCK, False)
        lease = Lock(home.supervisor_lock, INHERITED_LOCK)
        sign_lease(lease, os.getpid())
        channels = _start_fork_server(lease, SupervisorProcess(home=home, config_path=config_path))
        from backprop_tui.engine.main import hold_lease

        hold_lease(home, config_path, lease, *channels)
    except BaseException as error:
        note_failure(home, SUPERVISOR, describe(error))
        raise
    forget_failures(home, SUPERVISOR)


def _detach(lease: int) -> None:
    """Drops everything inherited from the parent: directory, terminal, and all descriptors but the lease's.

    A pipe left open here would keep its reader waiting, and a lock its next holder.
    """
    from backprop_tui.processes.detached_log import bound_log
    from backprop_tui.processes.linux import become_subreaper
    from backprop_tui.processes.requirements import raise_own_limits

    bound_log()
    os.chdir("/")
    os.umask(0o077)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    become_subreaper()
    raise_own_limits()
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > lease:
            try:
                os.close(descriptor)
            except OSError:
                continue  # the descriptor that was used for listing


def _start_fork_server(lease: Lock, supervisor: SupervisorProcess) -> tuple[socket.socket, socket.socket]:
    """Forks the fork server; returns our end of its socket, and that of what its guardians announce."""
    from backprop_tui.runner.fork_server import serve

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    announced, announcing = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        code = 70
        try:
            ours.close()
            announced.close()
            lease.close()
            serve(theirs, announcing, supervisor)
            code = 0
        finally:
            os._exit(code)
    theirs.close()
    announcing.close()
    return ours, announced


if __name__ == "__main__":
    main(sys.argv[1:])
