"""Makes a sandbox's supervisor, fork server or guardians die at chosen places."""

from __future__ import annotations

import os

import pytest

from backprop_tui.launchers import supervisor_process
from tests.support import crashes
from tests.support.crashes import Crash
from tests.support.sandbox import Sandbox

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(crashes.__file__)), "crashing_supervisor.py")


class Crashing:
    """The next supervisors of this sandbox die as asked, each crash once."""

    def __init__(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *asked: Crash, old_kernel: bool = False
    ) -> None:
        self._sandbox = sandbox
        self._latches = os.path.join(sandbox.folder, "latches")
        self._asked = len(asked)
        os.mkdir(self._latches)
        monkeypatch.setenv(crashes.VARIABLE, crashes.in_environment(asked, self._latches, old_kernel=old_kernel))
        monkeypatch.setattr(supervisor_process, "_PROGRAM", PROGRAM)

    def wait_until_all_happened(self) -> None:
        """Waits until every crash has happened."""
        self._sandbox.wait_until(lambda: len(os.listdir(self._latches)) == self._asked, "every crash happened")
