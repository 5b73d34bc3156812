"""The stories of `stories/`, each told again and compared with what was written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sync.story import Player

STORIES = sorted((Path(__file__).parent / "stories").glob("*.story"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_goes_as_written(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# "), "a story begins with its moral"
    assert Player().play(text) == text
