"""The snippets of docs/library.md run, top to bottom, as one program."""

import re
from pathlib import Path

from bianlian.workflows.house import House
from tests.material import REPOSITORY
from tests.workflows.footage import performer_clip


def test_the_library_does_what_its_page_says(stage):
    snippets = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "library.md").read_text(), re.S)
    assert len(snippets) >= 10
    given = {
        "home": stage.house.settings.home,
        "weights": stage.house.settings.weights,
        "folder": stage.folder,
        "footage": performer_clip(stage.folder / "scene.mp4", count=12),
        "performer": stage.performer,
    }
    program = {name: str(path) for name, path in given.items()} | {"__name__": "library"}
    exec(compile("\n".join(snippets), "docs/library.md", "exec"), program)
    assert isinstance(program["house"], House)
    assert Path(program["folder"], "out", "scene.bianlian.mp4").exists()
