"""What the cause detectors look at: exceptions, the last log lines, the exit and facts about the machine."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from backprop_tui.domain.causes.tracebacks import (
    PROGRESS,
    ExceptionChain,
    LoggedException,
    LogLine,
    TracebackRole,
    parse_tracebacks,
)
from backprop_tui.domain.lazy_dataclass import lazy_dataclass


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    mount: str
    free_bytes: int
    free_files: int | None = None  # None if the file system does not count them


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuHolder:
    """A foreign process on a GPU of the run; `who` describes it."""

    gpu_index: int
    who: str
    memory_bytes: int | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """None or empty means unknown. The callables are only called by the detectors that need them."""

    exit_code: int | None = None
    signal: str | None = None
    command: tuple[str, ...] = ()
    cwd: str = "/"
    written_folders: tuple[str, ...] = ()  # folders of its checkpoints
    interpreter: str | None = None
    python_origin: str | None = None  # how the interpreter was found
    gpu_indices: tuple[int, ...] = ()  # the machine's indices, in the order in which the script counts them
    memory_kill: str | None = None  # describes an out-of-memory kill reported by the kernel or control group
    memory_kills_counted: bool = False  # whether the control group counts such kills
    disk_full: str | None = None  # the system's message, if the run's own files found no room at its end
    gpu_trouble: str | None = None  # describes a GPU of the run that was lost while it ran
    gpu_holders: tuple[GpuHolder, ...] = ()
    nan_loss: str | None = None  # describes the newest loss that was NaN or infinite
    machine_gpus: int | None = None  # how many GPUs the machine has
    hidden_gpus: str | None = None  # describes why the script saw no GPU although the machine has some
    open_files: int | None = None  # the limit of open files
    file_system: Callable[[str], FileSystem | None] = lambda _path: None
    local_module: Callable[[str], str | None] = lambda _name: None  # its folder near the script
    install: Callable[[str], str] = lambda package: f"python3 -m pip install {package}"  # the command for a package
    as_module: Callable[[str, int], str | None] = lambda _path, _levels: None  # runs a file as part of its package
    port_holder: Callable[[int], str | None] = lambda _port: None  # describes the process that listens on a TCP port
    first_line: Callable[[str], bytes | None] = lambda _path: None  # of a file; relative paths start at `cwd`


LAST_LINES = 40  # searched for messages that belong to no traceback
FINAL_WITHIN_LINES = 80  # the script survived a traceback that is further from the end
BURST_LINES = 30  # the largest distance between tracebacks of several processes that die together
_REPORT_LINES = 200  # the longest report of a launcher about its processes
_FINAL_LINES = 8  # in which words of ordinary output may explain the end
_SURVIVED_LINES = 3  # lines of progress after an error that show that the script continued

# Errors of other processes after one has died: consequences, not the cause.
_CONSEQUENCES = (
    r"^(?:\w+\.)*(?:ChildFailedError|CalledProcessError|ProcessRaisedException|ProcessExitedException|BrokenPipeError)\b"
    r"|DataLoader worker \(pid(?:\(s\)|.* exited unexpectedly)"
    r"|DistBackendError|Connection (?:closed|reset) by (?:remote )?peer|\[Rank \d+\] .*timeout"
    r"|Pin memory thread exited unexpectedly"
)


@lazy_dataclass(frozen=True, slots=True)
class Hit:
    line: LogLine
    match: re.Match[str]
    text: str  # the whole message that contains the match


class Clues:
    """The log lines of the newest attempt, oldest first, and the facts; everything else is evaluated lazily."""

    def __init__(self, lines: Sequence[LogLine], facts: Facts) -> None:
        self.lines = lines
        self.facts = facts

    @cached_property
    def _chains(self) -> list[ExceptionChain]:
        return parse_tracebacks(self.lines)

    @cached_property
    def exceptions(self) -> tuple[LoggedException, ...]:
        """The chain of exceptions that ended the script, in order; empty if there was none."""
        is_reported = self._launcher_report[1] is not None
        chains = [
            chain
            for chain in self._chains
            if chain.role is not TracebackRole.IGNORED
            and not chain.is_launchers
            and (is_reported or not self._was_survived(chain))
        ]
        chain = _final_chain(chains, len(self.lines), self.first_rank)
        return () if chain is None else tuple(chain.exceptions)

    def _was_survived(self, chain: ExceptionChain) -> bool:
        """Whether the process that printed the traceback continued its training."""
        return chain.last_index < self._continued_at.get(chain.root.line.source, 0)

    @cached_property
    def _continued_at(self) -> dict[str, int]:
        """The last line of each process that is followed by enough progress."""
        counts: Counter[str] = Counter()
        indices: dict[str, int] = {}
        for index in reversed(range(len(self.lines))):
            line = self.lines[index]
            if line.source not in indices and is_progress(line):
                counts[line.source] += 1
                if counts[line.source] == _SURVIVED_LINES:
                    indices[line.source] = index
        return indices

    @property
    def raised(self) -> LoggedException | None:
        """The exception that ended the script; None if there was none."""
        return self.exceptions[-1] if self.exceptions else None

    @cached_property
    def ending(self) -> tuple[LoggedException, ...]:
        """That exception, preceded by those from which it was raised explicitly; the rest of the chain was handled."""
        begin = len(self.exceptions) - 1
        while begin > 0 and self.exceptions[begin].is_explicit:
            begin -= 1
        return self.exceptions[max(0, begin) :]

    @property
    def root(self) -> LoggedException | None:
        return self.ending[0] if self.ending else None

    @cached_property
    def last(self) -> Sequence[LogLine]:
        """The last non-empty lines, without errors that ended nothing."""
        noise = self._noise
        first = max(0, len(self.lines) - 4 * LAST_LINES)
        last: list[LogLine] = []
        progress = 0
        for index in reversed(range(first, len(self.lines))):
            line = self.lines[index]
            if not line.text.strip() or index in noise:
                continue
            last.append(line)
            progress += is_progress(line)
            if len(last) == LAST_LINES or progress == _SURVIVED_LINES:
                break
        return last[::-1]

    @cached_property
    def _noise(self) -> set[int]:
        """The lines of tracebacks that ended nothing, and of a launcher's report on a process that exited by itself."""
        code = self._launcher_report[1]
        is_by_itself = code is not None and code >= 0
        noise = set(_lines_of_launcher(self.lines)) if is_by_itself else set()
        for chain in self._chains:
            if chain.role is TracebackRole.IGNORED or chain.is_launchers:
                end = _end_of_report(self.lines, chain) if is_by_itself and chain.is_launchers else chain.last_index
                noise.update(range(chain.first_index, end + 1))
        return noise

    @cached_property
    def _launcher_report(self) -> tuple[int | None, int | None]:
        """Rank and exit code of the process that failed first, as reported by its launcher."""
        rank = code = None
        for index, line in enumerate(self.lines):
            if line.text.startswith("Root Cause (first observed failure)"):
                report = "\n".join(line.text for line in self.lines[index : index + 9])
                rank = _number_in(r"rank\s*: (\d+)", report)
                code = _number_in(r"exitcode\s*: (-?\d+)", report)
        for chain in self._chains if code is None else ():
            text = chain.exceptions[-1].text
            if chain.is_launchers and (match := re.search(_CHILD_STATUS, text)) is not None:
                code = int(match["code"]) if match["code"] else -int(match["signal"])
        return rank, code

    @property
    def first_rank(self) -> int | None:
        """The rank that failed first; None if no launcher reported one."""
        return self._launcher_report[0]

    @property
    def exit_code(self) -> int | None:
        """The exit code of the script, or of the process that its launcher reported; None if unknown, or a signal."""
        code = self._launcher_report[1]
        return self.facts.exit_code if code is None or code < 0 else code

    @cached_property
    def signal(self) -> str | None:
        """The signal that ended the script, or the first of its processes that died; None if there was none.

        A crash or abort after a traceback happened during shutdown.
        """
        facts, code = self.facts, self._launcher_report[1]
        name = facts.signal or (None if code is None or code >= 0 else _fatal_signal_name(-code))
        if name is not None and not (name in _SHUTDOWN_SIGNALS and self.exceptions):
            return name
        worker = self.find(r"DataLoader worker \(pid (\d+)\) is killed by signal: (\w[\w ]*)")
        if worker is not None:
            return _WORKER_SIGNALS.get(worker.match[2].strip())
        if facts.exit_code is None or self.exceptions or code is not None:
            return None
        # A shell reports a child's signal as 128 + N. A Python launcher's sys.exit(-N) becomes 256 - N, but other
        # scripts use -1 and -2 as well, without any signal.
        launcher_signal = _fatal_signal_name(256 - facts.exit_code)
        shell_signal = _fatal_signal_name(facts.exit_code - 128)
        return shell_signal or (launcher_signal if launcher_signal in _CHILD_SIGNALS else None)

    def find(self, pattern: str) -> Hit | None:
        """Searches what ended the script, the root first; if there are no exceptions, the last lines, newest first."""
        return _find_in(self.ending, pattern) if self.exceptions else self.find_last(pattern)

    def find_in_chain(self, pattern: str) -> Hit | None:
        """Like `find`, but also in handled exceptions: a lack of resources explains what follows it."""
        return _find_in(self.exceptions, pattern) if self.exceptions else self.find_last(pattern)

    def find_at_end(self, pattern: str) -> Hit | None:
        """Like `find`, but without exceptions only in the very last lines: for words of ordinary output."""
        hit = self.find(pattern)
        return hit if hit is None or self.exceptions or hit.line in self.last[-_FINAL_LINES:] else None

    def find_last(self, pattern: str) -> Hit | None:
        """Searches the last lines, the newest first, even if there are exceptions."""
        for line in reversed(self.last):
            match = re.search(pattern, line.text)
            if match is not None:
                return Hit(line, match, line.text)
        return None

    def find_first(self, pattern: str) -> Hit | None:
        """Searches all lines, the oldest first: for a message that always ends the script, however much follows it."""
        for line in self.lines:
            match = re.search(pattern, line.text)
            if match is not None:
                return Hit(line, match, line.text)
        return None


def _lines_of_launcher(lines: Sequence[LogLine]) -> Iterator[int]:
    yield from (index for index, line in enumerate(lines) if "torch/distributed/elastic/" in line.text)


def _end_of_report(lines: Sequence[LogLine], chain: ExceptionChain) -> int:
    """The last line of torchrun's report, which ends with a rule; that of the traceback if there is no report."""
    end = chain.last_index
    for index in range(chain.last_index + 1, min(chain.last_index + _REPORT_LINES, len(lines))):
        if re.fullmatch(r"={5,}", lines[index].text):
            end = index
    return end


def is_progress(line: LogLine) -> bool:
    """Whether a line reports a position in the training."""
    return re.search(PROGRESS, line.text) is not None and not line.text.startswith("wandb:")


def _find_in(exceptions: Sequence[LoggedException], pattern: str) -> Hit | None:
    for exception in exceptions:
        match = re.search(pattern, exception.text)
        if match is not None:
            return Hit(_line_of_match(exception, match), match, exception.text)
    return None


def _number_in(pattern: str, text: str) -> int | None:
    match = re.search(pattern, text)
    return None if match is None else int(match[1])


_WORKER_SIGNALS = {
    "Killed": "SIGKILL",
    "Bus error": "SIGBUS",
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Terminated": "SIGTERM",
}
_CHILD_STATUS = r"non-zero exit status (?P<code>\d+)|died with <Signals\.\w+: (?P<signal>\d+)>"
_SHUTDOWN_SIGNALS = ("SIGABRT", "SIGSEGV")
_CHILD_SIGNALS = ("SIGKILL", "SIGSEGV", "SIGABRT", "SIGBUS")
_FATAL_SIGNALS = (
    *("SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL"),
    *("SIGSEGV", "SIGPIPE", "SIGTERM", "SIGXCPU", "SIGXFSZ"),
)


def _fatal_signal_name(number: int) -> str | None:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return None
    return name if name in _FATAL_SIGNALS else None


def _line_of_match(exception: LoggedException, match: re.Match[str]) -> LogLine:
    below = exception.text.count("\n", 0, match.start())
    if not below:
        return exception.line
    number = exception.line.number
    return LogLine(exception.message[below - 1], None if number is None else number + below, exception.line.source)


def _final_chain(chains: Sequence[ExceptionChain], end: int, first_rank: int | None) -> ExceptionChain | None:
    """The chain that ended the script; if several processes died together, the first that is not a consequence.

    An exception in a thread counts only if nothing else explains the end. `end` is the number of lines.
    """
    final: list[ExceptionChain] = []
    for chain in reversed(chains):
        if end - chain.last_index > (BURST_LINES if final else FINAL_WITHIN_LINES):
            break
        final.append(chain)
        end = min(end, chain.first_index)
    final.reverse()
    causes = [chain for chain in final if not re.search(_CONSEQUENCES, chain.root.line.text)]
    roots = [chain for chain in causes if chain.role is TracebackRole.PROCESS] or causes
    if not roots:
        return final[-1] if final else None
    of_rank = [chain for chain in roots if first_rank is not None and chain.root.line.rank == first_rank]
    if of_rank:
        return of_rank[-1]
    is_together = (
        len({chain.root.line.source for chain in roots}) > 1 or len(causes) < len(final) or first_rank is not None
    )
    return roots[0] if is_together else roots[-1]
