"""Runs command lines in this process and captures their output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from backprop_tui.cli.invocation import run_program
from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.probes.host import HostProbe

ALL_RAM = str((HostProbe(disk_path="/").ram()[0] or 0) / GIGABYTE)  # in GB: a run that needs it free always waits


@dataclass(frozen=True)
class CommandOutput:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Commands:
    """Runs commands on the state directory given in the environment."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, *words: str) -> CommandOutput:
        self._captured.readouterr()
        code = run_program(words)
        out, err = self._captured.readouterr()
        return CommandOutput(code, out, err)

    def json(self, *words: str) -> Any:
        """The JSON output of a command that succeeds."""
        result = self(*words, "--json")
        assert result.code == 0, result.err
        return result.json
