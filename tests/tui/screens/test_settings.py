"""The settings, driven by keys, with a fake that answers as `config` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from backprop_tui.config.files import Setting
from backprop_tui.config.keys import HELP_TEXTS, KEYS
from backprop_tui.config.kinds import Value
from backprop_tui.config.load import Settings
from backprop_tui.domain.errors import ConfigError, unknown_key
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.settings import SettingsScreen, default_text
from backprop_tui.tui.snapshot import WrongSetting
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import until
from tests.tui.snapshots import snapshot


class FakeConfig(FakeCommands):
    """Keeps what is set; with a `refusal` it refuses every change."""

    def __init__(
        self,
        values: dict[str, Value] | None = None,
        variables: dict[str, Value] | None = None,
        refusal: str = "",
        problems: Sequence[ConfigError] = (),
    ) -> None:
        super().__init__()
        self.values = values or {}
        self.variables = variables or {}
        self.refusal = refusal
        self.problems = problems

    async def set_config(self, key: str, value: str) -> CommandResult:
        if self.refusal:
            return CommandResult(done=False, message=self.refusal)
        self.values[key] = value
        return CommandResult(done=True, message=f"written: {key} = {value}")

    async def settings(self) -> Settings:
        defaults = {name: Setting(key.default, "default") for name, key in KEYS.items()}
        written = {name: Setting(value, "/home/anna/config.toml:3") for name, value in self.values.items()}
        variables = {
            name: Setting(value, f"environment {KEYS[name].variable}") for name, value in self.variables.items()
        }
        return Settings(defaults | written | variables, problems=self.problems)


def shown(stage: Stage, name: str = "settings") -> str:
    return stage.pilot.app.screen.query_one(f"#{name}", LineWidget).shown_text


def message(stage: Stage) -> str:
    return " ".join(shown(stage, "settings-message").split())


async def opened(stage: Stage) -> SettingsScreen:
    await stage.pilot.press("comma")
    await until(stage, lambda: "max_run_minutes" in shown(stage))
    screen = stage.pilot.app.screen
    assert isinstance(screen, SettingsScreen)
    return screen


async def test_enter_writes_the_value_to_the_file() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("j", "enter", *["backspace"] * len("auto"), "6", "enter")
        await until(stage, lambda: "max_parallel = 6, was auto" in shown(stage, "settings-message"))
        assert commands.values == {"max_parallel": "6"}
        line = next(line for line in shown(stage).splitlines() if "max_parallel" in line)
        assert line.split()[1:] == ["max_parallel", "6"]
        assert "set in    config.toml:3" in shown(stage, "settings-meaning")


async def test_an_invalid_value_stays_in_the_input_with_the_reason() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        screen = await opened(stage)
        await stage.pilot.press("enter", "x", "enter")
        await until(stage, lambda: "✗ max_run_minutes = x: " in shown(stage, "settings-message"))
        assert screen.query_one("#settings-value").has_class("-open")
        assert commands.values == {}
        await stage.pilot.press("escape")
        assert not shown(stage, "settings-message").strip()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_wrong_key_is_named_with_its_file_and_the_other_settings_are_shown(size: tuple[int, int]) -> None:
    problem = unknown_key("/home/anna/.config/backprop/config.toml:5", "gpu.max_tmp_c", HELP_TEXTS)
    commands = FakeConfig({"max_parallel": 3}, problems=(problem, problem))
    async with staged(size=size, commands=commands) as stage:
        await opened(stage)
        assert message(stage) == f"✗ {problem} (+1 more: backprop-tui --config /home/anna/config.toml config check)"
        assert "did you mean 'gpu.max_temp_c'?" in message(stage)
        assert ["max_parallel", "3"] in [line.split()[:2] for line in shown(stage).splitlines()]
        await stage.pilot.press("j")
        assert "config.toml:5" in shown(stage, "settings-message")


WRONG = ConfigError("/home/anna/config.toml:2", "max_parallel = 'two': must be a number", key="max_parallel")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_each_wrong_row_has_a_sign_and_says_why_and_what_applies(size: tuple[int, int]) -> None:
    others = [
        unknown_key("/home/anna/config.toml:5", "gpu.max_tmp_c", HELP_TEXTS),
        ConfigError("environment BACKPROP_FRAMEWORK", "framework = 'jax': must be one of auto", key="framework"),
    ]
    commands = FakeConfig({"framework": "pytorch"}, problems=(*others, WRONG))
    async with staged(size=size, commands=commands) as stage:
        await opened(stage)
        rows = [line.split() for line in shown(stage).splitlines()]
        assert ["max_parallel", "auto", "✗"] in rows
        assert ["framework", "pytorch", "✗"] in rows
        assert sum("✗" in row for row in rows) == 2
        assert "config.toml:5: unknown key" in shown(stage, "settings-message")
        await stage.pilot.press("j")
        assert message(stage) == f"✗ the default auto applies (a running supervisor keeps its own): {WRONG}"
        await stage.pilot.press("j")
        assert message(stage) == f"✗ pytorch of config.toml:3 applies: {others[1]}"


@pytest.mark.parametrize("key", ["enter", "delete"])
async def test_the_default_is_written_in_place_of_a_wrong_value(key: str) -> None:
    commands = FakeConfig(problems=(WRONG,))
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("j", *["enter"] * (key == "enter"), key)
        await until(stage, lambda: commands.values == {"max_parallel": "auto"})
        # The project's file is wrong as well.
        await until(stage, lambda: "but auto of config.toml:3 applies" in message(stage))
        assert "max_parallel = auto is written to /home/anna/config.toml" in message(stage)


async def test_the_header_names_a_wrong_setting_and_a_click_opens_it() -> None:
    async with staged(size=(80, 24), commands=FakeConfig(problems=(WRONG,))) as stage:
        wrong = WrongSetting(text=str(WRONG), key="max_parallel")
        await stage.becomes(replace(stage.bridge.now, wrong_setting=wrong))
        header = stage.main.query_one("#header", LineWidget)
        await until(stage, lambda: "max_parallel is wrong  , settings" in header.shown_text)
        await stage.pilot.click("#header", offset=(header.shown_text.index("wrong"), 0))
        await until(stage, lambda: "▌ max_parallel" in shown(stage))


async def test_a_refused_change_is_reported_with_the_reason() -> None:
    async with staged(commands=FakeConfig(refusal="/home/anna/config.toml: read-only file system")) as stage:
        await opened(stage)
        await stage.pilot.press("enter", "9", "enter")
        await until(stage, lambda: "✗ /home/anna/config.toml: read-only" in shown(stage, "settings-message"))


async def test_the_old_value_is_not_written() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("enter", "enter")
        await stage.pilot.pause()
        assert commands.values == {}


async def test_an_environment_variable_that_overrides_the_file_is_named() -> None:
    async with staged(commands=FakeConfig(variables={"max_run_minutes": "7"})) as stage:
        await opened(stage)
        await stage.pilot.press("enter", "9", "enter")
        await until(stage, lambda: "but 7 of BACKPROP_MAX_RUN_MINUTES applies" in message(stage))
        assert "✓" not in message(stage)


async def test_a_project_file_that_overrides_the_file_is_named() -> None:
    class Project(FakeConfig):
        async def settings(self) -> Settings:
            settings = await super().settings()
            project = {"max_run_minutes": Setting(240.0, "/data/backprop.toml:1")}
            return Settings({**settings.settings, **project})

    async with staged(commands=Project()) as stage:
        await opened(stage)
        await stage.pilot.press("enter", *["backspace"] * 3, "9", "enter")
        await until(stage, lambda: "but 240 of /data/backprop.toml:1 applies" in message(stage))
        assert "✓" not in message(stage)


async def test_a_change_of_the_file_by_others_is_shown(tmp_path: Path) -> None:
    commands = FakeConfig(problems=(WRONG,))
    commands.config_path = str(tmp_path / "config.toml")
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("j", "enter", "7")
        commands.problems, commands.values["max_run_minutes"] = (), 33
        (tmp_path / "config.toml").write_text("max_run_minutes = 33\n")
        await until(stage, lambda: "33 min" in shown(stage))
        assert "✗" not in shown(stage)
        value = stage.pilot.app.screen.query_one("#settings-value", Input)
        assert (value.value, value.has_class("-open")) == ("7", True)


async def test_the_command_that_removes_an_unknown_key_is_named() -> None:
    problem = ConfigError("/home/anna/config.toml:5", "unknown key 'foo'", repair="unset foo")
    async with staged(commands=FakeConfig(problems=(problem,))) as stage:
        await opened(stage)
        assert "`backprop-tui --config /home/anna/config.toml config unset foo` removes it" in message(stage)


async def test_no_command_for_the_users_file_is_named_for_a_key_of_the_project() -> None:
    problem = ConfigError("/data/backprop.toml:5", "unknown key 'foo'", repair="unset foo")
    async with staged(commands=FakeConfig(problems=(problem,))) as stage:
        await opened(stage)
        assert "backprop.toml:5: unknown key 'foo'" in message(stage)
        assert "unset" not in message(stage)


async def test_a_message_of_the_main_screen_leaves_room_for_keys_of_the_settings() -> None:
    app = Dashboard(FakeBridge(snapshot()), FakeConfig(), Preferences())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.main.tell("written: max_parallel = 2", seconds=60)
        await pilot.press("comma")
        stage = Stage(pilot, FakeBridge(snapshot()), FakeConfig())
        await until(stage, lambda: "max_run_minutes" in shown(stage))
        await until(stage, lambda: shown(stage, "footer").startswith(" " * len(" written: max_parallel = 2 ")))
        assert shown(stage, "footer").split()[-2:] == ["esc", "back"]
        assert "enter change" in shown(stage, "footer")
        await until(stage, lambda: [toast.outer_size.width for toast in app.screen.query("Toast")][-1:] == [27])


async def test_keys_that_arrive_together_are_handled_in_order() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("enter", "9")
        for key, letter in (*[("backspace", "\x7f")] * 3, ("2", "2"), ("enter", "\r")):
            stage.pilot.app.post_message(events.Key(key, letter))
        await until(stage, lambda: commands.values == {"max_run_minutes": "2"})


async def test_del_writes_the_default() -> None:
    commands = FakeConfig(values={"max_run_minutes": "60"})
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("delete")
        await until(stage, lambda: commands.values["max_run_minutes"] == "10")


async def test_a_search_lists_the_settings_whose_key_or_meaning_has_all_words() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("slash", *"paus overheat")
        await until(stage, lambda: shown(stage).split() == ["Governor", "▌", "governor.on_overheat", "pause"])
        await stage.pilot.press("enter", "enter", *["backspace"] * len("pause"), *"stop", "enter")
        await until(stage, lambda: commands.values == {"governor.on_overheat": "stop"})
        assert "esc all settings" in shown(stage, "footer")
        await stage.pilot.press("escape")
        assert "max_run_minutes" in shown(stage)
        assert "esc back" in shown(stage, "footer")


async def test_u_takes_back_the_last_change() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        await opened(stage)
        await stage.pilot.press("U")
        await until(stage, lambda: "✓ done" in shown(stage, "settings-message"))
        assert commands.calls == [("undo",)]


async def test_a_search_without_a_match_says_so() -> None:
    async with staged(commands=FakeConfig()) as stage:
        await opened(stage)
        await stage.pilot.press("slash", *"zzz", "enter", "enter", "delete")
        assert "no setting matches" in shown(stage, "settings-message")
        await stage.pilot.press("escape")
        assert "max_run_minutes" in shown(stage)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_all_values_of_a_setting_that_has_only_some_are_shown(size: tuple[int, int]) -> None:
    async with staged(size=size, commands=FakeConfig()) as stage:
        screen = await opened(stage)
        for key in (name for name, key in KEYS.items() if key.kind.choices):
            screen._key = key
            screen._draw()
            await stage.pilot.press("enter")
            await stage.pilot.pause()
            meaning = " ".join(shown(stage, "settings-meaning").split())
            assert f"values {', '.join(KEYS[key].kind.choices)} default" in meaning
            assert KEYS[key].variable in meaning
            await until(stage, lambda: "▌" in shown(stage))
            await stage.pilot.press("escape")


async def test_tab_and_arrows_go_through_the_values() -> None:
    commands = FakeConfig()
    async with staged(commands=commands) as stage:
        screen = await opened(stage)
        await stage.pilot.press("slash", *"dashboard.curves", "enter", "enter")
        entry = screen.query_one("#settings-value", Input)
        assert "tab next value" in shown(stage, "footer")
        values = []
        for key in ("tab", "down", "tab", "up", "shift+tab"):
            await stage.pilot.press(key)
            values.append(entry.value)
        assert values == ["blocks", "ascii", "braille", "ascii", "blocks"]
        await stage.pilot.press("ctrl+u", "a", "tab", "enter")
        await until(stage, lambda: commands.values == {"dashboard.curves": "ascii"})


async def test_other_settings_stay_while_their_value_is_edited() -> None:
    async with staged(commands=FakeConfig()) as stage:
        screen = await opened(stage)
        await stage.pilot.press("enter")
        assert "tab" not in shown(stage, "footer")
        await stage.pilot.press("down", "tab", "up")
        assert screen._key in (None, "max_run_minutes")
        assert screen.query_one("#settings-value", Input).value == "10"


async def test_numbers_are_shown_with_their_unit() -> None:
    async with staged(commands=FakeConfig()) as stage:
        await opened(stage)
        lines = [line.split() for line in shown(stage).splitlines()]
        assert ["▌", "max_run_minutes", "10", "min"] in lines
        assert ["gpu.max_temp_c", "85", "°C"] in lines
        assert ["max_parallel", "auto"] in lines


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
        assert key.sample or key.kind.read(default_text(name)) == key.default


async def test_the_list_fills_its_pane_when_the_screen_grows() -> None:
    async with staged(size=(60, 15), commands=FakeConfig()) as stage:
        await opened(stage)
        await stage.pilot.resize_terminal(200, 50)
        await until(stage, lambda: "run.grace_seconds" in shown(stage))


async def test_a_click_goes_to_a_setting_and_then_opens_it_and_the_wheel_moves() -> None:
    async with staged(commands=FakeConfig()) as stage:
        screen = await opened(stage)
        row = next(row for row, line in enumerate(shown(stage).splitlines()) if "min_free_ram_gb" in line)
        await stage.pilot.click("#settings", offset=(50, row))
        assert "variable  BACKPROP_MIN_FREE_RAM_GB" in shown(stage, "settings-meaning")
        assert not screen.query_one("#settings-value").has_class("-open")
        await stage.pilot.click("#settings", offset=(5, row))
        assert screen.query_one("#settings-value").has_class("-open")
        await stage.pilot.press("escape")
        screen.query_one("#settings", LineWidget).turn_wheel(3)
        await until(stage, lambda: "BACKPROP_MIN_FREE_RAM_GB" not in shown(stage, "settings-meaning"))
