"""What scripts report about themselves: a line when they start, another when they end on their own."""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "LEDGER"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    run: str
    attempt: int
    pid: int
    text: str


class Ledger:
    """The file that scripts/ledger_line.py appends to."""

    def __init__(self, path: str) -> None:
        self.path = path

    def entries(self, run_id: str | None = None) -> list[Entry]:
        """Every line, or those of one run."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(" ", 3) for line in file if line.endswith("\n")]
        entries = [Entry(run, int(attempt), int(pid), text) for run, attempt, pid, text in lines]
        return [entry for entry in entries if run_id in (None, entry.run)]

    def reports(self, run_id: str) -> list[str]:
        """The texts that a run reported, in order."""
        return [entry.text for entry in self.entries(run_id)]

    def beginnings(self, run_id: str) -> int:
        """How often the run was executed."""
        return self.reports(run_id).count("begin")
