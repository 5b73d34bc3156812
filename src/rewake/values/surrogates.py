"""Half surrogate pairs in JSON text: found so that an error can name them.

Floor 0, `values`. A page that cuts a text inside an emoji sends half of a pair: `\\ud83d`. No parser
of ours takes it, and what they say about it ("truncated") sends people looking in the wrong place.

Not here: refusing them, which the parsers do (`decoding.py`, the envelopes of `protocol` and `http_api`).
"""

from __future__ import annotations

import re

_SEARCHED_MAX = 1_000_000
"""Characters looked at: the advice is not worth more time, and a broken message may be of any size."""

_HALF = re.compile(
    r"""(?:^|[^\\])(?:\\\\)*           # not behind a backslash that is escaped itself
    (?:(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})
    |(?<!\\u[dD][89abAB][0-9a-fA-F]{2})(\\u[dD][c-fC-F][0-9a-fA-F]{2}))""",
    re.VERBOSE,
)


def half_surrogate_pair(text: str | bytes) -> str | None:
    """The first escape of half a surrogate pair in JSON `text`, or None."""
    text = text[:_SEARCHED_MAX]
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    found = _HALF.search(text)
    return None if found is None else found[1] or found[2]


def unicode_advice(text: str | bytes) -> str:
    """What to add to a parser's complaint about `text`: the half pair in it, or nothing."""
    half = half_surrogate_pair(text)
    return (
        ""
        if half is None
        else f" (a string holds {half}, half of a surrogate pair: a text cut inside a character?)"
    )
