"""The settings, driven by keys, with a fake that answers as `config` does."""

from __future__ import annotations

import pytest
from textual import events

from backprop_tui.config.files import Setting
from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import Value
from backprop_tui.config.load import Settings
from backprop_tui.tui.commands import CommandResult
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.settings import SettingsScreen, default_text, value_text
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import until


class FakeConfig(FakeCommands):
    """Keeps what is set; with a `refusal` it refuses every change."""

    def __init__(
        self, values: dict[str, Value] | None = None, variables: dict[str, Value] | None = None, refusal: str = ""
    ) -> None:
        super().__init__()
        self.values = values or {}
        self.variables = variables or {}
        self.refusal = refusal

    async def set_config(self, key: str, value: str) -> CommandResult:
        if self.refusal:
            return CommandResult(done=False, message=self.refusal)
        self.values[key] = value
        return CommandResult(done=True, message=f"{key} = {value}: written")

    async def settings(self) -> Settings:
        defaults = {name: Setting(key.default, "default") for name, key in KEYS.items()}
        written = {name: Setting(value, "/home/anna/config.toml:3") for name, value in self.values.items()}
        variables = {
            name: Setting(value, f"environment {KEYS[name].variable}") for name, value in self.variables.items()
        }
        return Settings(defaults | written | variables)


def shown(stage: Stage, name: str = "settings") -> str:
    return stage.pilot.app.screen.query_one(f"#{name}", LineWidget).shown_text


async def opened(stage: Stage) -> SettingsScreen:
    await stage.pilot.press("comma")
    await until(stage, lambda: "max_run_minutes" in shown(stage))
    screen = stage.pilot.app.screen
    assert isinstance(screen, SettingsScreen)
    return screen


async def test_a_changed_key_has_the_file_as_its_origin() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("j", "enter", *["backspace"] * len("auto"), "6", "enter")
        await until(stage, lambda: "auto → 6" in shown(stage) and "1 changed" in shown(stage, "settings-heading"))
        assert commands.values == {}
        await stage.pilot.press("ctrl+s")
        await until(stage, lambda: "written" in shown(stage, "settings-message"))
        assert commands.values == {"max_parallel": "6"}
        line = next(line for line in shown(stage).splitlines() if "max_parallel" in line)
        assert line.split()[1:4] == ["max_parallel", "6", "config.toml:3"]


async def test_an_invalid_value_stays_in_the_input_with_the_reason() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        screen = await opened(stage)
        await stage.pilot.press("enter", "x", "enter")
        await until(stage, lambda: "✗ max_run_minutes = x: " in shown(stage, "settings-message"))
        assert screen.query_one("#settings-value").has_class("-open")
        assert screen.changed == {}


async def test_a_refused_change_stays_unwritten_with_the_reason() -> None:
    async with staged(commands=FakeConfig(refusal="/home/anna/config.toml: read-only file system")) as stage:
        screen = await opened(stage)
        await stage.pilot.press("enter", "9", "enter", "ctrl+s")
        await until(stage, lambda: "✗ /home/anna/config.toml: read-only" in shown(stage, "settings-message"))
        assert screen.changed == {"max_run_minutes": "9"}


async def test_unwritten_changes_are_not_dropped_without_a_warning() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("enter", "9", "enter", "escape")
        await until(stage, lambda: "1 change is not written" in shown(stage, "settings-message"))
        assert isinstance(stage.pilot.app.screen, SettingsScreen)
        await stage.pilot.press("escape")
        await stage.pilot.pause()
        assert isinstance(stage.pilot.app.screen, MainScreen)
        assert commands.values == {}


async def test_the_old_value_is_no_change() -> None:
    async with staged(commands=FakeConfig()) as stage:
        screen = await opened(stage)
        await stage.pilot.press("enter", "9", "enter", "enter", "1", "0", "enter")
        await stage.pilot.pause()
        assert screen.changed == {}


async def test_an_environment_variable_that_overrides_the_file_is_named() -> None:
    async with staged(commands=FakeConfig(variables={"max_run_minutes": "7"})) as stage:
        await opened(stage)
        await stage.pilot.press("enter", "9", "enter", "ctrl+s")
        await until(stage, lambda: "BACKPROP_MAX_RUN_MINUTES still wins" in shown(stage, "settings-message"))


async def test_keys_that_arrive_together_are_handled_in_order() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        screen = await opened(stage)
        await stage.pilot.press("enter", "9")
        for key, letter in (("backspace", "\x7f"), ("backspace", "\x7f"), ("2", "2"), ("enter", "\r")):
            stage.pilot.app.post_message(events.Key(key, letter))
        await until(stage, lambda: screen.changed == {"max_run_minutes": "2"})


async def test_del_writes_the_default() -> None:
    commands = FakeConfig(values={"max_run_minutes": "60"})
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("delete", "ctrl+s")
        await until(stage, lambda: commands.values["max_run_minutes"] == "10")


async def test_esc_closes_the_input_first_and_then_the_settings() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("enter", "5", "escape")
        assert isinstance(stage.pilot.app.screen, SettingsScreen)
        await stage.pilot.press("escape")
        assert isinstance(stage.pilot.app.screen, MainScreen)
        assert commands.values == {}


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 8), (20, 5), (1, 1)])
async def test_the_cursor_is_always_visible(size: tuple[int, int]) -> None:
    async with staged(size=size, commands=FakeConfig()) as stage:
        await stage.pilot.press("comma")
        await until(stage, lambda: size == (1, 1) or "▌" in shown(stage))
        for key in ("G", "k", "ctrl+u", "g"):
            await stage.pilot.press(key)
            assert size == (1, 1) or "▌" in shown(stage)


def test_config_set_accepts_every_default() -> None:
    for name, key in KEYS.items():
        assert key.kind.read(default_text(name)) == key.default
    assert value_text(("a", "b")) == "a,b"
