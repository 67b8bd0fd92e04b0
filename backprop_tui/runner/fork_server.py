"""Forks guardians: a process with all their modules loaded, so that a start costs a fork and not a Python.

One request at a time over a SEQPACKET socket: the run's folder with the descriptor of its held lock one way, the new
guardian's pid with its pidfd back. It ends when the other end of the socket does.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import time

from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.run import Attempt, Code, Git, Gpu, Peak, Process, Run, Running, Spec, Starting, StopPlan
from backprop_tui.domain.values import prepare
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.linux import rename_process
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.runner.main import Assignment, guard
from backprop_tui.runner.script import Launch
from backprop_tui.store.run_directory import has_work

LARGEST_REQUEST = 65536
REAP_MILLISECONDS = 1000
REVIVE_SECONDS = 1.0

# What stands between a guardian's fork and its script's.
_OF_EACH_START = (
    *(Assignment, Run, Spec, StopPlan, Process, RunLimits, Attempt, Gpu, Peak, Code, Git, Starting, Launch),
    *(Identity, Clock, Live, Running),
)


def serve(requests: socket.socket, supervisor: SupervisorProcess) -> None:
    """Serves until the supervisor is gone; where that left work behind, starts another one."""
    rename_process("backprop-forker")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare(*_OF_EACH_START)
    LogReader()  # `re` remembers what it compiled
    # Collected once, then left alone: a collection in a child would copy every page it shares with us.
    gc.collect()
    gc.freeze()
    waiting = select.poll()
    waiting.register(requests, select.POLLIN)
    while True:
        ready = waiting.poll(REAP_MILLISECONDS)
        _reap()
        if ready and not _serve_one(requests, supervisor):
            break
    # Not at once: a supervisor that dies of its first breath would be born again and again.
    time.sleep(REVIVE_SECONDS)
    if has_work(supervisor.home):
        supervisor.ensure()


def _serve_one(requests: socket.socket, supervisor: SupervisorProcess) -> bool:
    message, descriptors, _, _ = socket.recv_fds(requests, LARGEST_REQUEST, 1)
    if not message or not descriptors:
        return False
    asked = json.loads(message)
    pid = os.fork()
    if pid == 0:
        requests.close()
        _guard(
            Assignment(
                folder=asked["folder"],
                lock_descriptor=descriptors[0],
                adopting=asked["adopting"],
                supervisor=supervisor,
            )
        )
    os.close(descriptors[0])
    # Not reaped before this returns, so the pidfd is the guardian's even if it died already.
    pidfd = os.pidfd_open(pid)
    try:
        socket.send_fds(requests, [str(pid).encode("ascii")], [pidfd])
    except BrokenPipeError:
        return False
    finally:
        os.close(pidfd)
    return True


def _guard(assignment: Assignment) -> None:
    """Never returns: this process is a guardian from here on."""
    code = 70
    try:
        os.set_inheritable(assignment.lock_descriptor, False)
        guard(assignment)
        code = 0
    except BaseException as error:  # noqa: BLE001 - the boundary of a process: nothing above it but os._exit
        note_exception(error)
    finally:
        os._exit(code)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return
