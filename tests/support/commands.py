"""A command as it is typed, obeyed in this process, and what it said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from backprop_tui.cli.invocation import run_program


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Stdout, a line each."""
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        """Stdout as the one JSON value it is."""
        return json.loads(self.out)


class Commands:
    """Obeys commands on the state directory that the environment names."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, *words: str) -> Said:
        self._captured.readouterr()
        code = run_program(words)
        out, err = self._captured.readouterr()
        return Said(code, out, err)

    def json(self, *words: str) -> Any:
        """The JSON answer of a command that goes well."""
        said = self(*words, "--json")
        assert said.code == 0, said.err
        return said.json
