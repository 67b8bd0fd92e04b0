"""The sampler process, which measures the host and the GPUs. It is disposable: a driver that hangs blocks only it.

    python -m backprop_tui.probes.sampler --out FILE --disk-path DIR [--probe auto] [--interval 1.0] [--parent PID]

It holds no locks or file descriptors of its parent and ends with its parent. It is the leader of a process group that
contains the commands it runs, so that killing the group leaves nothing behind.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from backprop_tui.probes.sampling import SamplerOptions

MIN_INTERVAL_SECONDS = 0.1
_REQUIRED = {"--out", "--disk-path"}
_OPTIONS = _REQUIRED | {"--probe", "--interval", "--parent"}


def main(arguments: Sequence[str]) -> None:
    """Runs the sampler until the parent ends."""
    from backprop_tui.processes.linux import die_with_parent, rename_process

    parent = os.getppid()
    options, expected_parent = _parse_arguments(arguments)
    die_with_parent(signal.SIGTERM)
    if expected_parent not in (None, parent) or os.getppid() != parent:
        return  # the parent ended before die_with_parent took effect
    _detach()
    rename_process("bp-sampler")
    from backprop_tui.probes.sampling import Sampler

    Sampler.for_this_machine(options).run(lambda: os.getppid() == parent)
    _end_group(signal.SIGTERM, None)


def _parse_arguments(arguments: Sequence[str]) -> tuple[SamplerOptions, int | None]:
    """Returns the options and the expected parent's pid; importing argparse takes longer than a whole measurement."""
    from backprop_tui.probes.sampling import SamplerOptions

    named = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or named.keys() - _OPTIONS or _REQUIRED - named.keys():
        raise SystemExit(__doc__)
    try:
        interval, parent = float(named.get("--interval", "1.0")), int(named.get("--parent", "0"))
    except ValueError as error:
        raise SystemExit(f"sampler: {error}") from error
    options = SamplerOptions(
        out=os.path.abspath(named["--out"]),
        disk_path=os.path.abspath(named["--disk-path"]),
        probe=named.get("--probe", "auto"),
        interval_seconds=max(MIN_INTERVAL_SECONDS, interval),
    )
    return options, parent or None


def _detach() -> None:
    """Releases everything inherited from the parent, and ignore the signals of its terminal."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    os.chdir("/")
    os.umask(0o077)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _end_group)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.closerange(3, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _end_group(_number: int, _frame: FrameType | None) -> None:
    """Kills the process group, including the commands it runs, even if threads hang."""
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
