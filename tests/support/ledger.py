"""What scripts report about themselves: a line when they begin, another when they end on their own."""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "LEDGER"


@dataclass(frozen=True, slots=True)
class Word:
    """One line of the ledger."""

    run: str
    attempt: int
    pid: int
    said: str


class Ledger:
    """The file that scripts/tell.py appends to."""

    def __init__(self, path: str) -> None:
        self.path = path

    def words(self, run_id: str | None = None) -> list[Word]:
        """Every line, or those of one run."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(" ", 3) for line in file if line.endswith("\n")]
        words = [Word(run, int(attempt), int(pid), said) for run, attempt, pid, said in lines]
        return [word for word in words if run_id in (None, word.run)]

    def said(self, run_id: str) -> list[str]:
        """What a run reported, in order."""
        return [word.said for word in self.words(run_id)]

    def beginnings(self, run_id: str) -> int:
        """How often the run was executed."""
        return self.said(run_id).count("begin")
