"""The fork server: forks guardians from a process with all their modules loaded, which is faster than a new Python.

It serves one request at a time over a SEQPACKET socket. A request has the run's folder and the descriptor of its held
lock; the reply has the new guardian's pid and pidfd. The server exits when the other end of the socket is closed.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import time

from backprop_tui.domain.lazy_dataclass import compile_inits
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.run import Attempt, Code, Git, Gpu, Peak, Process, Run, Running, Spec, Starting, StopPlan
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.linux import rename_process
from backprop_tui.runner.main import Assignment, become_guardian_and_exit, load_guardian
from backprop_tui.runner.script import Launch
from backprop_tui.store.hosts import has_work

MAX_REQUEST = 65536
REAP_MILLISECONDS = 1000
RESTART_SECONDS = 1.0

# The dataclasses that a guardian needs before it forks its script: compiled here, once.
_CLASSES_USED_AT_START = (
    *(Assignment, Run, Spec, StopPlan, Process, RunLimits, Attempt, Gpu, Peak, Code, Git, Starting, Launch),
    *(Identity, Clock, Live, Running),
)


def serve(requests: socket.socket, supervisor: SupervisorProcess) -> None:
    """Serves until the supervisor is gone, then starts another one if there is work left.

    What guardians need is loaded here, while the supervisor, which does not, loads the engine.
    """
    rename_process("backprop-forker")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    compile_inits(*_CLASSES_USED_AT_START)
    load_guardian()
    # Collected once, then frozen: a collection in a child would copy every page that it shares with this process.
    gc.collect()
    gc.freeze()
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    while True:
        ready = poll.poll(REAP_MILLISECONDS)
        _reap_children()
        if ready and not _serve_request(requests, supervisor):
            break
    # The delay keeps a supervisor that fails at once from being restarted in a tight loop.
    time.sleep(RESTART_SECONDS)
    if has_work(supervisor.home):
        supervisor.ensure()


def _serve_request(requests: socket.socket, supervisor: SupervisorProcess) -> bool:
    """Forks one guardian; False when the supervisor is gone."""
    message, descriptors, _, _ = socket.recv_fds(requests, MAX_REQUEST, 1)
    if not message or not descriptors:
        return False
    pid = os.fork()
    if pid == 0:
        requests.close()
        become_guardian_and_exit(
            Assignment(lock_descriptor=descriptors[0], supervisor=supervisor, **json.loads(message))
        )
    os.close(descriptors[0])
    # Children are reaped only by this process, later: so the pidfd is the guardian's even if it has died already.
    pidfd = os.pidfd_open(pid)
    try:
        socket.send_fds(requests, [str(pid).encode("ascii")], [pidfd])
    except BrokenPipeError:
        return False
    finally:
        os.close(pidfd)
    return True


def _reap_children() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return
