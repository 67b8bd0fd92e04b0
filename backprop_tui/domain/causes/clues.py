"""What the detectors look at: the exceptions that ended the script, the last lines of its log, and the facts."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from functools import cached_property

from backprop_tui.domain.causes.facts import Facts
from backprop_tui.domain.causes.log_lines import LogLine
from backprop_tui.domain.causes.tracebacks import Chain, Failure, chains_of
from backprop_tui.domain.values import dataclass

LAST_LINES = 40  # in which words that belong to no traceback count
FINAL_WITHIN_LINES = 80  # a traceback further from the end was survived
BURST_LINES = 30  # tracebacks of several processes that die together lie as near to each other

# What others say when one has died: they are not why.
_CONSEQUENCES = (
    r"^(?:\w+\.)*(?:ChildFailedError|CalledProcessError|ProcessRaisedException|ProcessExitedException|BrokenPipeError)\b"
    r"|DataLoader worker \(pid\(s\)"
    r"|DistBackendError|Connection (?:closed|reset) by (?:remote )?peer|\[Rank \d+\] .*timeout"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a pattern was found."""

    line: LogLine
    match: re.Match[str]
    text: str  # the whole message around it


class Clues:
    """The end of a script; `lines` oldest first, of its newest attempt alone. What is not asked is not looked for."""

    def __init__(self, lines: Sequence[LogLine], facts: Facts) -> None:
        self.lines = lines
        self.facts = facts

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """The chain of exceptions that ended it, the root first; empty where none did."""
        chain = _final_chain(self.lines, self.first_rank)
        return () if chain is None else tuple(chain.failures)

    @property
    def root(self) -> Failure | None:
        """What began it."""
        return self.failures[0] if self.failures else None

    @cached_property
    def last(self) -> Sequence[LogLine]:
        """The last lines that say something."""
        return [line for line in self.lines[-4 * LAST_LINES :] if line.text.strip()][-LAST_LINES:]

    @cached_property
    def _launcher(self) -> tuple[int | None, int | None]:
        """Rank and exit code of the process that failed first, as torchrun tells them."""
        rank = code = None
        for place, line in enumerate(self.lines):
            if line.text.startswith("Root Cause (first observed failure)"):
                report = "\n".join(one.text for one in self.lines[place : place + 9])
                found, exited = re.search(r"rank\s*: (\d+)", report), re.search(r"exitcode\s*: (-?\d+)", report)
                rank, code = None if found is None else int(found[1]), None if exited is None else int(exited[1])
        return rank, code

    @property
    def first_rank(self) -> int | None:
        """The rank that failed first; None where no launcher told."""
        return self._launcher[0]

    @cached_property
    def signal(self) -> str | None:
        """The signal that ended it, or the process of it that died first; None where it was none."""
        facts = self.facts
        if facts.signal is not None:
            return facts.signal
        code = self._launcher[1]
        if code is not None and code < 0:
            return _named(-code)
        worker = self.find(r"DataLoader worker \(pid (\d+)\) is killed by signal: (\w[\w ]*)")
        if worker is not None:
            return _WORKER_SIGNALS.get(worker.match[2].strip())
        if facts.exit_code is None or self.failures:
            return None
        # A shell reports a child's signal as 128 + N; sys.exit(-N) of a launcher in Python comes out as 256 - N, but -1
        # and -2 are also said by scripts that mean nothing of the kind.
        passed_on = _named(256 - facts.exit_code)
        return _named(facts.exit_code - 128) or (passed_on if passed_on in _OF_CHILDREN else None)

    def find(self, pattern: str) -> Hit | None:
        """In the exceptions, the root first; where there are none, in the last lines, the newest first."""
        for failure in self.failures:
            found = re.search(pattern, failure.text)
            if found is not None:
                return Hit(_line_of(failure, found), found, failure.text)
        return None if self.failures else self.find_last(pattern)

    def find_last(self, pattern: str) -> Hit | None:
        """In the last lines, the newest first, whatever exceptions there are."""
        for line in reversed(self.last):
            found = re.search(pattern, line.text)
            if found is not None:
                return Hit(line, found, line.text)
        return None


_WORKER_SIGNALS = {
    "Killed": "SIGKILL",
    "Bus error": "SIGBUS",
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Terminated": "SIGTERM",
}
_OF_CHILDREN = ("SIGKILL", "SIGSEGV", "SIGABRT", "SIGBUS")
_TELLING = (
    *("SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL"),
    *("SIGSEGV", "SIGPIPE", "SIGTERM", "SIGXCPU", "SIGXFSZ"),
)


def _named(number: int) -> str | None:
    """A signal by which programs die."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return None
    return name if name in _TELLING else None


def _line_of(failure: Failure, found: re.Match[str]) -> LogLine:
    """The line of a message on which a pattern was found."""
    below = failure.text.count("\n", 0, found.start())
    if not below:
        return failure.line
    number = failure.line.number
    return LogLine(failure.message[below - 1], None if number is None else number + below, failure.line.source)


def _final_chain(lines: Sequence[LogLine], first_rank: int | None) -> Chain | None:
    """The chain that ended the script: of several processes that died together, the first that is no consequence."""
    final: list[Chain] = []
    end = len(lines)
    for chain in reversed(chains_of(lines)):
        if end - chain.last_index > (BURST_LINES if final else FINAL_WITHIN_LINES):
            break
        final.append(chain)
        end = min(end, chain.last_index)
    final.reverse()
    roots = [chain for chain in final if not re.search(_CONSEQUENCES, chain.root.line.text)]
    if not roots:
        return final[-1] if final else None
    of_rank = [chain for chain in roots if first_rank is not None and chain.root.line.rank == first_rank]
    if of_rank:
        return of_rank[-1]
    several = len({chain.root.line.source for chain in roots}) > 1 or len(roots) < len(final) or first_rank is not None
    return roots[0] if several else roots[-1]
