"""Starts and replaces the sampler: the only process that queries the GPUs, so that a hung driver hangs only it."""

from __future__ import annotations

import os
import signal
import sys

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.identity import Identity, identify, is_alive, send_signal
from backprop_tui.store.failures import SAMPLER, note_failure
from backprop_tui.store.files import make_writable
from backprop_tui.store.home import Home
from backprop_tui.store.tail import read_end
from backprop_tui.store.watched_file import Signature, signature_of

_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sample.py")
SILENT_SECONDS = 15.0  # a sampler that has written nothing this long is hanging and is replaced
RESTART_SECONDS = 5.0


@lazy_dataclass(slots=True)
class SamplerProcess:
    """A sampler started by this process, which ends with it; it writes readings.json and histories.json.

    With `stream`, a descriptor, it prints its samples there and writes no file.
    """

    home: Home
    probe: str
    interval_seconds: float
    stream: int | None = None
    _identity: Identity | None = None
    _started_at: float = -RESTART_SECONDS
    _pause_seconds: float = 0.0  # after failures
    _seen: Signature | None = None  # its file as it was last seen, since the monotonic time `_seen_at`
    _seen_at: float = -RESTART_SECONDS

    def ensure(self, now: float) -> None:
        """Starts a sampler unless one is alive and writing; `now` is monotonic."""
        if self._identity is not None:
            was_alive = is_alive(self._identity)
            if was_alive and now - max(self._started_at, self._written(now)) < SILENT_SECONDS:
                return
            _end(self._identity)
            self._identity = None
            if not was_alive and self.stream is None:
                self._pause_seconds = note_failure(self.home, SAMPLER, self._last_words()).pause_seconds
        if now - self._started_at >= max(RESTART_SECONDS, self._pause_seconds):
            self._started_at = now
            self._identity = self._spawn()

    def _last_words(self) -> str:
        """The last line of its log: that of a traceback names the error."""
        lines = read_end(self.home.sampler_log)[0].decode("utf-8", "replace").splitlines()
        return lines[-1] if lines else "it was killed"

    def replace(self, probe: str, interval_seconds: float) -> None:
        """Changes the settings; the next `ensure` starts a sampler with them."""
        if (probe, interval_seconds) != (self.probe, self.interval_seconds):
            self.stop()
            self.probe, self.interval_seconds = probe, interval_seconds

    def stop(self) -> None:
        if self._identity is not None:
            _end(self._identity)
        self._identity, self._started_at = None, -RESTART_SECONDS

    def _written(self, now: float) -> float:
        """When its file was seen to change; the time in the file system is that of a clock that may be set."""
        signature = signature_of(self.home.readings)
        if signature != self._seen:
            self._seen, self._seen_at = signature, now
        return self._seen_at

    def _spawn(self) -> Identity | None:
        """Starts it with site-packages, for the driver's bindings; it inherits no descriptor but the log's."""
        command = [
            *(sys.executable, _PROGRAM, "--out", self.home.readings, "--disk-path", self.home.root),
            *("--probe", self.probe, "--interval", f"{self.interval_seconds:g}", "--parent", str(os.getpid())),
        ]
        nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        if self.stream is not None:
            command += ("--stream", "1")
            outputs = [(os.POSIX_SPAWN_DUP2, self.stream, 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        else:
            command += ("--histories", self.home.histories)
            log = self.home.sampler_log
            make_writable(log)
            outputs = [
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ]
        return identify(os.posix_spawn(sys.executable, command, os.environ, file_actions=[*outputs, nothing]))


def _end(sampler: Identity) -> None:
    """Kills its whole process group: a hanging nvidia-smi would outlive it, also if it was killed from outside.

    Until it is reaped, no other process can get its pid.
    """
    if identify(sampler.pid) != sampler:
        return
    try:
        os.killpg(sampler.pid, signal.SIGKILL)
    except ProcessLookupError:
        send_signal(sampler, signal.SIGKILL)  # it does not lead a group yet
