"""Textual is imported without what it needs only later, and gets that when it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from backprop_tui.tui import late_modules

CALL_ALL = """
import json, sys
from backprop_tui.tui.late_modules import LateModule, LateObject, load_textual
load_textual()
left = [name for name, module in sys.modules.items() if isinstance(module, LateModule)]

import rich.style, textual.app, textual.design, textual.layout
from rich.style import Style
from textual.app import App
late = {name: value for name, value in vars(textual.app).items() if isinstance(value, LateObject)}

class Shown(App[None]):
    pass

async def use() -> dict[str, object]:
    app = Shown()
    async with app.run_test() as pilot:
        opened = textual.app.CommandPalette.is_open(app)
        await pilot.press("ctrl+p")
        await pilot.pause()
        return {
            "palette": [opened, textual.app.CommandPalette.is_open(app)],
            "meta": Style.parse("bold").update_link("x").meta | Style(meta={"a": 1}).meta,
            "table": textual.design.Table().row_count,
            "canvas": textual.layout.Canvas(2, 1).width,
            "directory": bool(textual.app.user_downloads_path().name),
            "key": len(textual.app.uuid.uuid4().hex),
            "type": textual.app.mimetypes.guess_type("a.svg")[0],
            "markup": app.stylesheet.parse_style("bold").bold,
        }

import asyncio, pickle, typing_extensions
used = asyncio.run(use())
print(json.dumps({"left": left, "late": sorted(late), "pickle": pickle.loads(pickle.dumps(1)), "used": used}))
"""


def _run(statements: str) -> Any:
    finished = subprocess.run([sys.executable, "-c", statements], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


def test_what_was_left_out_is_imported_when_it_is_used() -> None:
    seen = _run(CALL_ALL)
    assert seen["left"] == []
    assert seen["late"] == ["CommandPalette", "SimpleProvider", "user_downloads_path"]
    assert seen["pickle"] == 1
    assert seen["used"] == {
        "palette": [False, True],
        "meta": {"a": 1},
        "table": 0,
        "canvas": 2,
        "directory": True,
        "key": 32,
        "type": "image/svg+xml",
        "markup": True,
    }


def test_an_untested_textual_is_imported_as_it_is() -> None:
    statements = """
import json, sys
from backprop_tui.tui import late_modules
late_modules.TESTED_TEXTUAL = "0.0.1"
late_modules.load_textual()
print(json.dumps("textual.command" in sys.modules and "rich.table" in sys.modules))
"""
    assert _run(statements)


def test_the_tested_textual_is_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    assert late_modules.is_tested()
    monkeypatch.setattr(late_modules, "TESTED_TEXTUAL", "0.0.1")
    assert not late_modules.is_tested()


def test_an_attribute_that_is_not_known_to_be_a_function_is_the_real_one() -> None:
    stand_in = late_modules.LateModule("mimetypes")
    assert stand_in.knownfiles
    with pytest.raises(AttributeError):
        _ = stand_in.nothing_of_that_name
    with pytest.raises(AttributeError):
        _ = stand_in.__path__
