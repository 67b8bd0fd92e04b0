"""Every command on a page of the documentation is run, page by page, and its output is compared with what is shown."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.cli import parser
from backprop_tui.config.load import load
from backprop_tui.domain.errors import UsageError
from backprop_tui.tui.user_commands import user_commands
from tests.docs import pages
from tests.support import processes

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "examples/README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
PROGRAM = "backprop-tui"
SECONDS = 100

CONFIG = """\
max_parallel = 4
min_free_ram_gb = 0
[gpu]
probe = "none"
[governor]
starts_per_minute = 0
max_load_per_core = 0
min_free_disk_gb = 0
"""
MARK = "\036"


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture
def shell_environment(home: Path) -> dict[str, str]:
    """Environment of a user who has installed the program and has a training script in the working directory."""
    shutil.copytree(ROOT / "tests/docs/work", home / "project")
    (home / "project" / "examples").symlink_to(ROOT / "examples")
    (home / ".config" / "backprop").mkdir(parents=True)
    (home / ".config" / "backprop" / "config.toml").write_text(CONFIG)
    programs = home / "programs"
    programs.mkdir()
    for name, line in {
        PROGRAM: f'exec {sys.executable} -m backprop_tui "$@"',
        "torchrun": f'shift 2; exec {sys.executable} "$@"',
        "accelerate": f'shift 3; exec {sys.executable} "$@"',
        **dict.fromkeys(("conda", "uv", "poetry", "docker", "srun"), "exit 1"),  # so that the parser finds programs
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "BACKPROP_", "VIRTUAL_"))}
    path = os.pathsep.join((str(programs), os.path.dirname(sys.executable), os.environ["PATH"]))
    return kept | {"HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_work(
    page: str, home: Path, shell_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home / "project")
    monkeypatch.setenv("PATH", shell_environment["PATH"])
    steps = list(pages.steps_of(_text(page)))
    for step in steps:
        if not step.runs:
            for words in _own_commands(step.command):
                _check_words(words, f"{page}:{step.line}")
    _run(page, [step for step in steps if step.runs], home, shell_environment)


def _run(page: str, steps: list[pages.Step], home: Path, environment: dict[str, str]) -> None:
    """All commands in one shell, as a reader would type them; each must exit and print as the page says."""
    script = "".join(f"{step.command}\n(code=$?; printf '{MARK}%s{MARK}' $code; exit $code)\n" for step in steps)
    try:
        finished = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    finally:
        ids = sorted(path.name for path in (home / ".local/share/backprop/runs").glob("*"))
        processes.kill_processes_of_store(str(home))
    printed = finished.stdout.decode(errors="replace").replace(str(home), "/home/ada").split(MARK)
    for step, output, code in zip(steps, printed[::2], printed[1::2], strict=False):
        place = f"{page}:{step.line}: {step.command}\n"
        assert int(code) in step.codes, f"{place}exit code {code}\n{output}"
        if step.output is not None:
            end = "".join(output.splitlines(keepends=True)[-20:])
            assert pages.matches(step.output, output, ids), f"{place}{end}\n---- is not as shown:\n{step.output}"
    assert len(printed) == 2 * len(steps) + 1, f"{page}: the shell ended early:\n{printed[-1]}"


def _own_commands(command: str) -> Iterator[list[str]]:
    """The words after each `backprop-tui` of a shell command, also of one that is quoted for another shell."""
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    own: list[str] | None = None
    for word in (*lexer, ";"):
        if not word.strip("();<>|&"):
            if own is not None:
                yield own
            own = None
        elif own is not None:
            own.append(word)
        elif os.path.basename(word) == PROGRAM:
            own = []
        elif PROGRAM in word and " " in word:
            yield from _own_commands(word)


def _check_words(words: list[str], place: str) -> None:
    try:
        parser.parse(words)
    except SystemExit:  # --help
        pass
    except UsageError as error:
        pytest.fail(f"{place}: {PROGRAM} {shlex.join(words)}: {error}")


@pytest.mark.parametrize("page", [*PAGES, "SECURITY.md", "CONTRIBUTING.md"])
def test_commands_in_sentences_and_tables_exist(
    page: str, home: Path, shell_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home / "project")
    monkeypatch.setenv("PATH", shell_environment["PATH"])
    for span in re.findall(rf"`({PROGRAM} [^`]+)`", _text(page)):
        for words in _own_commands(span.replace("\\|", "|")):
            if not words[0].isupper() and "..." not in span:
                _check_words(words, page)


def test_the_keys_and_commands_of_the_dashboard_page_are_accepted(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", _text("docs/dashboard.md"), re.DOTALL)
    (tmp_path / "config.toml").write_text(block)
    settings = load(environment={}, directory=str(tmp_path), user_file=str(tmp_path / "config.toml"))
    commands, problems = user_commands(settings)
    assert problems == []
    assert {command.shown_key for command in commands} == {"f5", "ctrl+t", "W", ""}


def test_every_page_in_docs_is_listed_in_the_readme() -> None:
    readme = _text("README.md")
    for page in sorted((ROOT / "docs").glob("*.md")):
        assert f"docs/{page.name}" in readme


@pytest.mark.parametrize("page", sorted({*PAGES, *(path.name for path in ROOT.glob("*.md"))}))
def test_relative_links_lead_somewhere(page: str) -> None:
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", _text(page)):
        path = (ROOT / page).parent.joinpath(target) if target else ROOT / page
        assert path.exists(), f"{page}: {target}"
        if heading:
            assert heading in _headings(path.read_text(encoding="utf-8")), f"{page}: {target}#{heading}"


def _headings(text: str) -> list[str]:
    """The names by which headings are linked."""
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
