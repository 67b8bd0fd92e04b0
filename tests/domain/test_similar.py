"""Misspelled words are recognized, and nothing is guessed."""

from __future__ import annotations

import pytest

from backprop_tui.domain.similar import nearest

COMMANDS = ("run", "resume", "list", "status", "stop", "pause", "logs", "show")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(("rnu", "run"), ("urn", "run"), ("lst", "list"), ("STATUS", "status"), ("stpo", "stop"), ("shwo", "show")),
        *(("resum", "resume"), ("puase", "pause"), ("--stop", "stop"), ("log", "logs")),
    ],
)
def test_a_misspelled_word_is_recognised(word: str, meant: str) -> None:
    assert nearest(word, COMMANDS) == meant


@pytest.mark.parametrize("word", ["", "restart", "start", "rum", "ls", "x", "frobnicate", "--"])
def test_a_word_that_is_not_similar_is_not_guessed(word: str) -> None:
    assert nearest(word, COMMANDS) is None


def test_dashes_do_not_make_options_similar() -> None:
    assert nearest("--seed", ["--sweep", "--env"]) is None
    assert nearest("--max_run_minutes", ["--max-run-minutes"]) == "--max-run-minutes"
