"""Every story in `stories/` comes out as written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.database.story import Story, read_story
from tests.database.world import World

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story_comes_out_as_written(path: Path, world: World) -> None:
    text = path.read_text()
    assert text.startswith("# "), "a story begins with its moral"
    story = Story(world)
    for commands, expected in read_story(text):
        answers = [answer for command in commands if (answer := story.tell(command)) is not None]
        assert answers == expected, f"after {commands}"


def test_there_are_stories() -> None:
    assert len(STORIES) >= 10
