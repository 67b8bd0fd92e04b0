"""Reading commands and shown output from a page."""

from __future__ import annotations

import pytest

from tests.docs.pages import Step, matches, steps_of

PAGE = """\
<!-- exit: 3 -->
```sh
first  # comment
for x in 1 2; do
  echo $x
done
```
<!-- not run: needs Docker -->
```console
$ second \\
  more
output
$ third
```
```text
not a command
```
"""


def test_commands_and_their_output_are_read() -> None:
    assert list(steps_of(PAGE)) == [
        Step(3, "first  # comment", frozenset({0, 3})),
        Step(4, "for x in 1 2; do\n  echo $x\ndone", frozenset({0, 3})),
        Step(10, "second \\\n  more", output="output", runs=False),
        Step(13, "third", output="", runs=False),
    ]


def test_a_file_and_a_preparation_come_before() -> None:
    page = "<!-- before: prepare -->\n<!-- file: a/b.toml -->\n```toml\nx = 1\n```\n"
    prepare, write = steps_of(page)
    assert prepare.command == "prepare"
    assert write.command.splitlines()[1:] == ["x = 1", "END OF FILE"]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("kmt4ax29", "zzzzzzzz"),
        ("ends in 10m at 14:05", "ends in 2s at 00:01"),
        ("a   b", "a b"),
        ("first\n...\nlast", "first\nlast"),
        ("first\n...\nlast", "first\nx\ny\nlast"),
        ("...\nlast", "last"),
        ("step ...", "step 3"),
    ],
)
def test_ids_times_and_dots_match(shown: str, printed: str) -> None:
    assert matches(shown, printed, ["zzzzzzzz"])


@pytest.mark.parametrize(("shown", "printed"), [("started", "failed"), ("a\n...\nb", "ab"), ("a", "a\nb"), ("", "a")])
def test_other_output_does_not_match(shown: str, printed: str) -> None:
    assert not matches(shown, printed, ["zzzzzzzz"])
