"""What the bot can do by itself, without any service: plain functions of what was said.

@bot help            @bot time            @bot roll 2d6
@bot count           @bot summary 20
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from random import Random

from rewake import UNSET

from .schema import Message

HELP = """I can do this:
@bot time: what the clock says
@bot roll 2d6: roll dice
@bot count: who wrote how much lately
@bot summary 20: what the last messages were about"""
DICE_MAX = 20
SIDES_MAX = 1000
SUMMARY_DEFAULT = 20
WORD_LENGTH_MIN = 4
TOPICS_MAX = 3
COMMON_TEXT = """
about after also been before could does dont each even every first from have here into just like made make
many more most much must only other over said same shall should some such than that their them then there
these they this those very want well were what when where which while will with would your yours
"""
COMMON = frozenset(COMMON_TEXT.split())


def answer(lines: Sequence[Message], *, bot: str, now: datetime, chance: Random) -> str:
    """An answer to the last of these lines; the others came before it."""
    *before, asked = lines
    command, *rest = [*asked.body.lower().split()[1:], "help"]
    said = [line for line in before if line.author != bot and not line.body.lower().startswith(f"@{bot}")]
    match command.strip("?!.,"):
        case "help" | "hello" | "hi":
            return HELP
        case "time":
            return f"It is {now:%H:%M} UTC on {now:%A}, {now.day} {now:%B %Y}."
        case "roll" | "dice":
            return _roll(rest[0], chance)
        case "count":
            return _count(said)
        case "summary" | "summarise" | "summarize":
            return _summary(said, rest[0])
    return f"I do not know how to {command[:40]}. {HELP}"


def _roll(wanted: str, chance: Random) -> str:
    shape = re.fullmatch(r"(\d{0,3})d(\d{1,5})", "1d6" if wanted == "help" else wanted, re.ASCII)
    dice, sides = (int(shape[1] or 1), int(shape[2])) if shape else (0, 0)
    if not (1 <= dice <= DICE_MAX and 2 <= sides <= SIDES_MAX):
        return f"I roll 1 to {DICE_MAX} dice with 2 to {SIDES_MAX} sides: @bot roll 2d6"
    rolled = [chance.randint(1, sides) for _ in range(dice)]
    total = f" = {sum(rolled)}" if dice > 1 else ""
    return f"{' + '.join(map(str, rolled))}{total}"


def _count(said: Sequence[Message]) -> str:
    if not said:
        return "Nobody has written anything yet."
    words = sum(len(line.body.split()) for line in said)
    pictures = sum(line.image is not UNSET for line in said)
    sizes = f"{_many(words, 'word')} and {_many(pictures, 'picture')}"
    return f"{_many(len(said), 'message')} by {_authors(said)}, with {sizes}."


def _summary(said: Sequence[Message], wanted: str) -> str:
    number = int(wanted) if re.fullmatch(r"\d{1,4}", wanted, re.ASCII) else SUMMARY_DEFAULT
    latest = said[-number:] if number else []
    spoken = [line for line in latest if line.body]
    if not spoken:
        return "There is nothing to sum up yet."
    weights = Counter(word for line in spoken for word in _telling_words(line.body))
    text = f"{_many(len(latest), 'message')} by {_authors(latest)}"
    topics = sorted((word for word in weights if weights[word] > 1), key=lambda word: (-weights[word], word))
    if topics:
        text += f", mostly about {', '.join(topics[:TOPICS_MAX])}"
    # The line whose words come up most in the others, per word, so that length alone does not win.
    best = max(spoken, key=lambda line: _mean([weights[word] for word in _telling_words(line.body)]))
    return f"{text}. {best.author} put it like this: “{best.body[:200]}”"


def _telling_words(body: str) -> set[str]:
    words = re.findall(r"[^\W\d_]+", body.lower().replace("'", ""))
    return {word for word in words if len(word) >= WORD_LENGTH_MIN and word not in COMMON}


def _mean(numbers: Sequence[int]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _authors(lines: Sequence[Message]) -> str:
    return ", ".join(
        f"{name} ({count})" for name, count in Counter(line.author for line in lines).most_common()
    )


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
