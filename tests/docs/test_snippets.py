"""The snippets of docs/conventions.md run, top to bottom, as one program."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_conventions_hold():
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / "conventions.md").read_text(), re.S)
    assert len(snippets) >= 5
    exec(compile("\n".join(snippets), "docs/conventions.md", "exec"), {})
