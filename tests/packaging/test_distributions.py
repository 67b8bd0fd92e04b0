"""What is built for a package index: the program, and the report module alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from backprop_tui import __version__

ROOT = Path(__file__).parents[2]
MAX_SOURCE_BYTES = 1_500_000

pytest.importorskip("hatchling")
pytest.importorskip("hatch_fancy_pypi_readme")


def _build(project: Path, target: Path) -> tuple[zipfile.ZipFile, tarfile.TarFile, Path]:
    """The wheel and the source archive of a project, and the path of the archive."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    [wheel], [source] = target.glob("*.whl"), target.glob("*.tar.gz")
    return zipfile.ZipFile(wheel), tarfile.open(source), source


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[zipfile.ZipFile, tarfile.TarFile, Path]:
    return _build(ROOT, tmp_path_factory.mktemp("program"))


def _metadata(wheel: zipfile.ZipFile) -> str:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return wheel.read(name).decode()


def test_the_wheel_has_types_styles_and_licence_but_no_tests(
    program: tuple[zipfile.ZipFile, tarfile.TarFile, Path],
) -> None:
    names = program[0].namelist()
    assert {"backprop_tui/py.typed", "backprop_tui/tui/dashboard.tcss"} <= set(names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names} == {"backprop_tui", f"backprop_tui-{__version__}.dist-info"}


def test_the_source_archive_is_small(program: tuple[zipfile.ZipFile, tarfile.TarFile, Path]) -> None:
    _, source, path = program
    folders = {name.split("/")[1] for name in source.getnames()}
    assert not folders & {"tests", "screenshots", "benchmarks", ".ci", "packaging"}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "docs", "examples"} <= folders
    assert path.stat().st_size < MAX_SOURCE_BYTES


def test_an_index_shows_the_readme_without_links_that_lead_nowhere(
    program: tuple[zipfile.ZipFile, tarfile.TarFile, Path],
) -> None:
    description = Parser().parsestr(_metadata(program[0])).get_payload()
    assert isinstance(description, str)
    assert "# backprop-tui" in description
    assert re.findall(r"\]\((?!https?:)[^)]*\)", description) == []


def test_users_may_have_any_textual_of_the_series(program: tuple[zipfile.ZipFile, tarfile.TarFile, Path]) -> None:
    required = Parser().parsestr(_metadata(program[0])).get_all("Requires-Dist") or []
    assert "textual<8.3,>=8.2.8" in required


def test_the_report_module_is_one_file_without_a_command(tmp_path: Path) -> None:
    wheel, source, _ = _build(ROOT / "packaging" / "report", tmp_path)
    module = (ROOT / "backprop_tui" / "report.py").read_bytes()
    modules = [name for name in wheel.namelist() if ".dist-info/" not in name]
    assert modules == ["backprop_report.py"]
    assert wheel.read("backprop_report.py") == module
    assert not any(name.endswith("entry_points.txt") for name in wheel.namelist())
    packed = source.extractfile(f"backprop_report-{__version__}/backprop_report.py")
    assert packed is not None
    assert packed.read() == module
    metadata = Parser().parsestr(_metadata(wheel))
    assert (metadata["Version"], metadata.get_all("Requires-Dist")) == (__version__, None)
    assert (ROOT / "packaging" / "report" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
