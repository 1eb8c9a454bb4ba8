"""How the documentation site is built: `make docs` writes it to `build/docs`."""

from __future__ import annotations

project = "Continuum"
author = "The Continuum authors"
project_copyright = "The Continuum authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}

html_theme = "furo"
html_title = "Continuum"
html_show_sphinx = False
# Everything a page needs comes with it: no font, script or picture is fetched from elsewhere.
html_static_path: list[str] = []

exclude_patterns = ["PROGRESS.md"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
# Links to files outside docs/ (README, examples) are for readers of the repository.
suppress_warnings = ["myst.xref_missing"]

# In our docstrings a word between single backticks is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": True}
nitpicky = False
