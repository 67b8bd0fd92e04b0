"""Filtering a log: the same lines as the file has, whatever was searched first and however the file grows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backprop_tui.tui.log import filter as filter_module
from backprop_tui.tui.log import search as search_module
from backprop_tui.tui.log.file import LogFile
from backprop_tui.tui.log.filter import FilteredLines
from backprop_tui.tui.log.search import Matcher

PARTS = st.lists(st.sampled_from([b"hit\n", b"miss\n", b"\n", b"h", b"it\n", b"a long line without\n"]), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@example(first=[b"hit\n", b"hit\n", b"h", b"h"], later=[b"hit\n"], stretch=3, share=0.0, steps=3)
@given(first=PARTS, later=PARTS, stretch=st.integers(3, 40), share=st.floats(0, 1), steps=st.integers(0, 5))
def test_the_lines_are_those_that_match_in_both_directions(
    tmp_path: Path, first: list[bytes], later: list[bytes], stretch: int, share: float, steps: int
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(first))
    file = LogFile(str(path))
    file.poll()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "STRETCH_BYTES", stretch)
        patch.setattr(filter_module, "STRETCH_BYTES", stretch)
        lines = FilteredLines(Matcher(re.compile("hit")), file, int(share * file.size))
        for _ in range(steps):
            if lines.has_work:
                lines.step()
        with path.open("ab") as end:
            end.write(b"".join(later))
        file.poll()
        while lines.has_work:
            lines.step()
        expected = [extent for extent in file.forward(0) if b"hit" in file.read(*extent)]
        assert [*lines.forward(0)] == expected
        assert [*lines.backward(file.size)] == expected[::-1]
        assert (lines.count, lines.share) == (len(expected), None)
        for start, _ in expected:
            assert [*lines.forward(start)] == [extent for extent in expected if extent[0] >= start]
            assert [*lines.backward(start)] == [extent for extent in reversed(expected) if extent[0] < start]
    file.close()
