"""The map of errors and warnings along the edge of a log."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from backprop_tui.tui.log import problems as problems_module
from backprop_tui.tui.log.file import LogFile
from backprop_tui.tui.log.page import LineKind, Problem, classify_line
from backprop_tui.tui.log.problems import MAX_CELLS, ProblemMap, problem_lines
from tests.tui.log.test_search import CLASSIFIED

PLAIN = b"iter 12: loss 2.2137, time 118.71ms\n"


def mapped(path: Path, content: bytes) -> tuple[LogFile, ProblemMap]:
    path.write_bytes(content)
    file = LogFile(str(path))
    file.poll()
    known = ProblemMap()
    look(file, known)
    return file, known


def look(file: LogFile, known: ProblemMap) -> None:
    known.allow(file)
    while known.has_work:
        known.step(file)


@pytest.mark.parametrize(("line", "kind"), CLASSIFIED)
def test_every_error_and_warning_is_found_by_its_clues(line: str, kind: LineKind) -> None:
    offsets = [offset for offset, _ in problem_lines(PLAIN + line.encode() + b"\n" + PLAIN)]
    assert offsets == ([len(PLAIN)] if kind in (LineKind.ERROR, LineKind.WARNING) else [])


def test_random_lines_of_words_from_errors_are_found_as_one_by_one() -> None:
    words = [
        *("ERROR", "error", "Killed", "INFO", "inf", "nan", "loss", "NCCL", "timeout", "CUDA", "out", "of", "memory"),
        *("Foo.BarError:", "exit", "warn", "WARNING", ":", "-"),
    ]
    chance = random.Random(7)
    lines = [" ".join(chance.choices(words, k=chance.randint(1, 5))) for _ in range(4000)]
    kinds = [classify_line(line) for line in lines]
    expected = [kind for kind in kinds if kind in (LineKind.ERROR, LineKind.WARNING)]
    problems = [problem for _, problem in problem_lines("".join(f"{line}\n" for line in lines).encode())]
    assert [problem.name.lower() for problem in problems] == [kind.value for kind in expected]


def test_the_map_is_exact_in_small_logs_and_coarse_in_large_ones(tmp_path: Path) -> None:
    content = PLAIN * 100 + b"ValueError: x\n" + PLAIN * 299
    file, known = mapped(tmp_path / "log", content)
    assert [row for row, worst in enumerate(known.edge(file.size, 40)) if worst is Problem.ERROR] == [10]
    file, known = mapped(tmp_path / "large", PLAIN * 50_000 + b"ValueError: x\n" + PLAIN * 50_000)
    edge = known.edge(file.size, 40)
    assert edge.count(Problem.ERROR) == 1
    assert edge.index(Problem.ERROR) in (19, 20)
    assert len(known._cells) <= MAX_CELLS


def test_what_was_not_looked_at_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems_module, "FIRST_BYTES", len(PLAIN) * 500)
    file, known = mapped(tmp_path / "log", b"ERROR\n" + PLAIN * 1000)
    edge = known.edge(file.size, 10)
    assert edge[:4] == (Problem.UNKNOWN,) * 4
    assert edge[6:] == (Problem.NONE,) * 4
    assert not known.rules_out(0, file.size, Problem.ERROR)


def test_a_growing_log_is_looked_at_by_one_unit_between_two_polls(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file, known = mapped(path, PLAIN)
    with path.open("ab") as end:
        end.write(PLAIN * 4000 + b"ValueError: at the e")
    file.poll()
    look(file, known)
    assert known.edge(file.size, 4)[-1] is Problem.UNKNOWN
    for _ in range(4):
        look(file, known)
    assert known.edge(file.size, 4) == (Problem.NONE,) * 4
    with path.open("ab") as end:
        end.write(b"nd\n")
    file.poll()
    look(file, known)
    assert known.edge(file.size, 4)[-1] is Problem.ERROR
