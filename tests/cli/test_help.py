"""`help` explains words, settings and options, and names what is similar to a word that is not explained."""

from __future__ import annotations

import pytest

from backprop_tui.config.keys import KEYS
from backprop_tui.presentation.glossary import GLOSSARY
from tests.support.commands import Commands


def explained(obey: Commands, *words: str) -> str:
    done = obey(*words)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize(
    ("words", "begins", "has"),
    [
        ("slice", "slice: a part of a long training", "to type: backprop-tui run -m 30 --total-minutes 12h train.py"),
        ("Slices", "slice: a part of a long training", ""),
        ("what is a slice?", "slice: a part of a long training", ""),
        ("timebox", "timebox: the time limit of a run", "in the dashboard: t extends it"),
        ("timeout", "timebox: the time limit of a run", "max_run_minutes (setting, default 10)"),
        ("guard", "guard: pauses or stops runs", ""),
        ("log out", "log out: whether runs survive", "to type: backprop-tui doctor"),
        ("±", "spread: the standard deviation", ""),
        ("max_parallel", "max_parallel (setting, default auto)", "backprop-tui config set max_parallel VALUE"),
        ("max_temp_c", "gpu.max_temp_c (setting, default 85)", ""),
        ("BACKPROP_GPU_MAX_TEMP_C", "gpu.max_temp_c (setting, default 85)", ""),
        ("keys", "keys (setting): keys of your own", "backprop-tui config path"),
        ("--sweep", "sweep: one command queued once", "--sweep KEY=V1,V2|A..B (option of run): one run for each value"),
        ("-m", "-m/--max-run-minutes/--max-minutes MIN (option of run, resume)", "(option of edit)"),
        ("--json", "--json (option): answer in JSON", ""),
        ("kill", "kill: a word of other tools; with time to save: backprop-tui stop RUN", ""),
        ("hold", "hold: the queue is held", "a word of other tools; type: backprop-tui queue hold"),
        ("what is a run", "run: one training that was queued", "backprop-tui run: queue a script"),
    ],
)
def test_a_word_is_explained(obey: Commands, words: str, begins: str, has: str) -> None:
    answer = " ".join(explained(obey, "help", *words.split()).split())
    assert answer.startswith(begins)
    assert has in answer


@pytest.mark.parametrize("words", [("--help", "slice"), ("-h", "slice")])
def test_the_option_explains_words_too(obey: Commands, words: tuple[str, ...]) -> None:
    assert explained(obey, *words) == explained(obey, "help", "slice")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("timbox", "did you mean timebox? Type: backprop-tui help timebox"),
        ("max_paralel", "did you mean max_parallel?"),
        ("resmue", "did you mean resume?"),
        ("unused memory", "lists all words"),
        ("cluster", "perhaps Slurm,"),
        ("zebra", "`backprop-tui help words` lists all words"),
    ],
)
def test_what_is_similar_to_an_unknown_word_is_named(obey: Commands, word: str, hint: str) -> None:
    done = obey("help", *word.split())
    assert done.code == 2
    assert f"help: {word!r} is no word that is explained here" in done.err
    assert hint in done.err


def test_all_words_are_listed(obey: Commands) -> None:
    listed = explained(obey, "help", "words")
    assert [word.name for word in GLOSSARY if f"\n  {word.name} " not in listed] == []
    assert len(obey.json("help", "words")) == len(GLOSSARY)


def test_the_explanation_is_available_as_json(obey: Commands) -> None:
    (explanation,) = obey.json("help", "guard")
    assert explanation == {
        "word": "guard",
        "kind": "term",
        "text": "pauses or stops runs on a GPU that is too hot or whose memory limit is exceeded",
        "command": None,
        "keys": None,
    }


@pytest.mark.parametrize("name", KEYS)
def test_every_setting_is_explained(obey: Commands, name: str) -> None:
    assert any(each["kind"] == "setting" for each in obey.json("help", name))


def test_help_needs_no_state_directory(obey: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROP_HOME", "/proc/nowhere")
    assert explained(obey, "help", "slice").startswith("slice:")
