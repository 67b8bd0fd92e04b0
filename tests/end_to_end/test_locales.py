"""Names reach a script byte for byte, whatever the locales of the shells that queue runs and start the supervisor."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from backprop_tui.domain.status import Status
from tests.support.front_ends import PROGRAM, environment
from tests.support.sandbox import Sandbox, python

NAME, OTHER = "n\u00e9", os.fsdecode(b"\xe9\xff")
SHOWS = "import os, sys; print([os.fsencode(x) for x in (sys.argv[1], os.environ['NAME'], os.getcwd())])"


@pytest.fixture
def latin(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a shell in ISO 8859-1."""
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not installed here")
    locale = os.path.join(sandbox.folder, "latin")
    subprocess.run(("localedef", "-i", "en_US", "-f", "ISO-8859-1", locale), capture_output=True, check=False)
    if not os.path.isdir(locale):
        pytest.skip("there are no sources of locales here")
    monkeypatch.setenv("LOCPATH", sandbox.folder)
    return environment(sandbox) | {"LC_ALL": "latin"}


@pytest.mark.parametrize("name", [NAME, OTHER])
def test_names_reach_a_script_unchanged_in_every_locale(sandbox: Sandbox, latin: dict[str, str], name: str) -> None:
    folder = os.path.join(sandbox.folder, name)
    os.mkdir(folder)
    command = (*PROGRAM, "--no-ui", "run", "--detach", "--", *python(SHOWS), name)
    queued = subprocess.run(command, cwd=folder, env=latin | {"NAME": name}, check=True, capture_output=True)
    runs = [sandbox.submitted(queued.stdout.decode().strip())]  # it has started the supervisor
    runs.append(sandbox.submit(*python(SHOWS), name, cwd=folder, environment=dict(os.environ) | {"NAME": name}))
    for run in runs:
        assert run.end().status is Status.COMPLETED
        assert run.log().decode() == f"{[os.fsencode(text) for text in (name, name, folder)]}\n"
