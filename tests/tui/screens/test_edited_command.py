"""A command line whose arguments are changed one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.tui.screens.draft import line_of, words_of
from backprop_tui.tui.screens.edited_command import EditedCommand, listed_values

LINE = "train.py --lr 1 --devices 0,1 data"


def _source(line: str = LINE) -> EditedCommand:
    return EditedCommand.of({"command": line}, has_source=True)


def _words(command: EditedCommand) -> tuple[str, ...]:
    return words_of(command.placed({}))


@given(st.lists(st.sampled_from(["--lr", "1", "a=b", "--x=y", "-b8", "", "a b", "0,1", "{lr}"]), max_size=8))
def test_rows_that_are_not_changed_change_nothing(arguments: list[str]) -> None:
    command = _source(line_of(["train.py", *arguments]))
    before = _words(command)
    for row in command.rows():
        if row.now is not None:
            command = command.with_value(row.place, row.now.text)
    assert _words(command) == before
    assert command.differences() == 0


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2,3", ("1", "2", "3")),
        ("1..3", ("1", "2", "3")),
        ("a, b", ("a", "b")),
        ("1", ()),
        ("[1,2]", ()),
        ("'1,2'", ()),
        ("1,", ()),
        ("1,1", ()),
        ("../a", ()),
    ],
)
def test_a_list_of_values(text: str, values: tuple[str, ...]) -> None:
    assert listed_values(text) == values


def test_a_list_typed_as_a_value_is_a_sweep_unless_the_value_had_commas() -> None:
    command = _source().with_value(0, "1,2").with_value(1, "0,1,2")
    assert _words(command) == ("--sweep", "lr=1,2", "train.py", "--", "--lr", "{lr}", "--devices", "0,1,2", "data")
    assert _words(command.switched(0))[:2] == ("train.py", "--")
    assert _words(command.switched(1))[:4] == ("--sweep", "lr=1,2", "--sweep", "devices=0,1,2")


def test_a_sweep_survives_a_change_of_the_line_and_the_closing_of_the_form() -> None:
    command = _source().with_value(0, "1,2")
    assert _words(command.with_text(f"{command.text} --x 3,4"))[:2] == ("--sweep", "lr=1,2")
    assert _words(EditedCommand.of(command.kept())) == _words(command)


def test_a_range_typed_as_a_value_is_a_sweep_in_each_row_unless_it_was_one_before() -> None:
    command = _source().with_value(0, "1..3")
    assert _words(command)[:2] == ("--sweep", "lr=1,2,3")
    assert _words(command.switched(0))[0] == "train.py"
    assert _words(_source().with_added("--seed 1..3"))[:2] == ("--sweep", "seed=1,2,3")
    assert _words(_source("train.py --pages 1..3").with_value(0, "2..5"))[0] == "train.py"
    assert _words(_source("train.py --data x").with_value(0, "../a"))[0] == "train.py"


def test_added_arguments_come_before_a_literal_dash() -> None:
    command = _source("train.py --lr 1 -- -- x").with_added("--wd 0.1,0.2 --fast")
    assert command.text == "train.py --lr 1 --wd 0.1,0.2 --fast -- -- x"
    assert _words(command)[:2] == ("--sweep", "wd=0.1,0.2")


def test_the_first_dash_only_separates_the_arguments() -> None:
    command = _source("train.py a -- x").without(0)
    assert _words(command) == ("train.py", "--", "--", "x")
    assert [row.name for row in command.rows() if row.now is None] == [""]


def test_arguments_of_a_launched_script_are_rows_and_those_in_a_shell_command_are_not() -> None:
    assert [row.name for row in _source("torchrun --nproc 2 train.py --lr 1").rows()] == ["--lr"]
    assert _source("bash -c 'python train.py --lr 1'").rows() == []
    assert _source("backprop-tui run train.py -- --lr 1").rows() == []
    assert _source("train.py 'a").rows() == []


def test_what_the_source_says_about_its_options_changes_the_rows_and_not_the_words() -> None:
    command = _source("train.py --fast data")
    known = command.with_syntax(OptionSyntax(switches=frozenset({"--fast"})))
    assert [row.name for row in command.rows()] == ["--fast"]
    assert [row.name for row in known.rows()] == ["--fast", ""]
    assert (_words(known), known.differences()) == (_words(command), 0)


def test_a_removed_argument_is_put_back_to_its_place() -> None:
    command = _source().without(1)
    (row,) = [row for row in command.rows() if row.now is None]
    assert command.with_restored(row).text == LINE


def test_a_value_takes_no_other_argument_and_becomes_none() -> None:
    line = "train.py --devices 0 --lr 1 data"
    emptied = _source(line).with_value(1, "")
    assert emptied.text == "train.py --devices 0 --lr= data"
    assert emptied.with_value(1, "2").text == "train.py --devices 0 --lr=2 data"
    assert _source(line).with_value(1, "--x").text == "train.py --devices 0 --lr=--x data"
    assert _source(line).with_value(0, "").text == "train.py --devices --lr 1 data"
    assert _source(line).with_value(1, "-2").text == "train.py --devices 0 --lr -2 data"


@pytest.mark.parametrize(
    ("arguments", "changes", "advice"),
    [
        (
            "--bs 256 --ckpt-dir ck/256-1",
            {0: "128"},
            "--ckpt-dir ck/256-1 has the old --bs in it: ck/128-1 has the new",
        ),
        (
            "bs=256 lr=0.1 out=bs256_lr0.1.pt",
            {0: "8", 1: "1"},
            "out bs256_lr0.1.pt has the old bs and lr in it: bs8_lr1.pt",
        ),
        ("--opt sgd --out=ck/sgd", {0: "adam"}, "--out ck/sgd has the old --opt in it: ck/adam has the new"),
        ("--seed 1 --out ck/0.1-11", {0: "2"}, ""),
        ("--bs 256 --out ck/256", {0: "128", 1: "ck/128"}, ""),
        ("--bs 256 --out ck/256", {0: "64,128"}, ""),  # its runs share the output, which the dry run says
        ("--bs 256 --data imagenet-256", {0: "128"}, ""),
        ("--bs 256 --amp --out ck/256", {}, ""),
    ],
)
def test_an_output_that_is_named_after_the_old_value_of_an_argument_is_pointed_out(
    arguments: str, changes: dict[int, str], advice: str
) -> None:
    command = _source(f"train.py {arguments}")
    for place, value in changes.items():
        command = command.with_value(place, value)
    assert command.outdated_output().startswith(advice)
    assert bool(command.outdated_output()) == bool(advice)


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ("--opt adam --bits 8", []),
        ("--opt rmsprop --bits 8.0", ["--opt rmsprop: none of adam, sgd"]),
        ("--opt Adam --bits 08", []),  # `type=str.lower` is usual, and 08 is 8
        ("--opt={opt} --bits 3", ["--bits 3: none of 4, 8"]),
        ("--layers a b c", ["--layers c: none of a, b"]),
        ("--opt", []),
        ("--other x", []),
    ],
)
def test_values_that_are_none_of_the_choices_are_refused(arguments: str, refused: list[str]) -> None:
    choices = {"--opt": ("adam", "sgd"), "--bits": ("4", "8"), "--layers": ("a", "b")}
    syntax = OptionSyntax(choices=choices, lists=frozenset({"--layers"}))
    command = EditedCommand.of({"command": f"train.py {arguments}"}, syntax)
    assert command.refusals() == refused


def test_each_value_of_a_sweep_must_be_a_choice() -> None:
    command = EditedCommand.of({"command": "train.py --opt adam"}, OptionSyntax(choices={"--opt": ("adam", "sgd")}))
    assert command.with_value(0, "adam,sgd").refusals() == []
    assert command.with_value(0, "adam,foo").refusals(asks=True) == [
        "enter again queues it as it is: --opt foo: none of adam, sgd"
    ]
