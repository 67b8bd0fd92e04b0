"""The editor of the user, and how each takes a line number."""

from __future__ import annotations

import pytest

from backprop_tui.tui.editor import NoEditor, editor_command


@pytest.mark.parametrize(
    ("editor", "words"),
    [
        ({}, ["vi", "+3", "/a b.py"]),
        ({"EDITOR": "nano -w"}, ["nano", "-w", "+3", "/a b.py"]),
        ({"EDITOR": "vi", "VISUAL": "/usr/bin/nvim"}, ["/usr/bin/nvim", "+3", "/a b.py"]),
        ({"EDITOR": "code --wait"}, ["code", "--wait", "--goto", "/a b.py:3"]),
        ({"EDITOR": "hx"}, ["hx", "/a b.py:3"]),
        ({"EDITOR": "my-editor"}, ["my-editor", "/a b.py"]),
    ],
)
def test_each_editor_gets_the_line_in_its_own_way_and_an_unknown_one_only_the_file(
    editor: dict[str, str], words: list[str]
) -> None:
    assert editor_command(editor, "/a b.py", 3) == words


def test_an_editor_that_cannot_be_read_is_named() -> None:
    with pytest.raises(NoEditor, match=r"\$EDITOR cannot be read: No closing quotation"):
        editor_command({"EDITOR": "vi 'x"}, "/a.py", 1)
