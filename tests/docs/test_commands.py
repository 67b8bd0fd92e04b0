"""Every command on a page of the documentation is run, page by page, and its output is compared with what is shown."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.cli import parser
from backprop_tui.config.load import load
from backprop_tui.domain.errors import UsageError
from backprop_tui.tui.user_commands import user_commands
from tests.docs import pages, shell
from tests.docs.shell import PROGRAM, ROOT

PAGES = ["README.md", "examples/README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture
def shell_environment(home: Path) -> dict[str, str]:
    return shell.prepare(home)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != shell.SLURM_PAGE])
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
    shell.run(page, [step for step in steps if step.runs], home, shell_environment)


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
