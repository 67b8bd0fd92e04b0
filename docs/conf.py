"""The site that `make docs` builds: the README is its first page, and the tables there are its navigation."""

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

project = "backprop-tui"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "examples/*.md", "benchmarks/*.md"]
exclude_patterns = [".*", "build", "backprop_tui", "tests"]
nitpicky = True
myst_heading_anchors = 3

html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "monokai"


def add_navigation(_: Sphinx, page: str, source: list[str]) -> None:
    """Appends to the README one hidden list of pages for each of its tables."""
    if page != root_doc:
        return
    for section in source[0].split("\n### ")[1:]:
        caption = section.partition("\n")[0]
        pages = re.findall(r"^\| \[(.*?)\]\((.*?)\.md\)", section, re.MULTILINE)
        entries = "\n".join(f"{title} <{path}>" for title, path in pages)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def name_first_page(app: Sphinx, error: Exception | None) -> None:
    """Servers and people open index.html."""
    if error is None:
        shutil.copy(Path(app.outdir, f"{root_doc}.html"), Path(app.outdir, "index.html"))


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_navigation)
    app.connect("build-finished", name_first_page)
