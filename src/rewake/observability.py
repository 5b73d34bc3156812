"""Observability: what the house says about itself.

Floor 0. Modules log through `logger(__name__)`; the process decides where lines go. Function runs are told
apart from the server's own lines: they go to the call log (`execution/call_log.py`). What goes into a log
goes through `redacted`, so that no key or token stands there.

Not here: log lines of author functions (`functions/log_lines.py`), metrics and traces (a later issue).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping

ROOT = "rewake"


def logger(name: str) -> logging.Logger:
    """The logger of a module; names begin with `rewake.`, so that one setting governs the house."""
    return logging.getLogger(name if name.startswith(ROOT) else f"{ROOT}.{name}")


def wanted_level(environ: Mapping[str, str]) -> int | None:
    """From which level on the house is told, as `REWAKE_LOG_LEVEL` says; None where it says nothing. A word
    that is none counts as `warning`.
    """
    said = environ.get("REWAKE_LOG_LEVEL", "").strip().upper()
    levels = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "ERROR": logging.ERROR}
    return levels.get(said, logging.WARNING) if said else None


_REDACTED = "[redacted]"
_SECRETS = re.compile(
    # `Authorization: Bearer ...`, `Bearer ...` and `Convex name|...`, quoted or not.
    r"""(?ix)
    (?P<scheme> \bauthorization\b [\\"']* \s* [:=,] \s*+ b?[\\"']* (?:bearer|convex|basic)?+ \s*
              | \bbearer\s+ )
        (?P<token> (?!\[redacted) [^\s"',;)}\]\\]{6,} )
    | (?P<name> (?: (?<![\w.-]) [\w.-]*+ )?+ ) \| (?: rk )? [0-9a-f]{16,} (?: : [A-Za-z0-9+/=]+ )?
    | \b (?P<word> eyJ (?: (?! \b(?:authorization|bearer)\b ) [\w-] ){6,}+ )
        (?P<rest> \. [\w-]{6,} (?: \. [\w-]* )? )?+
    | (?P<parameter> [?&](?:adminKey|token)= ) [^\s&"'\\\#]+
    """
)
"""Keys of administrators, tokens of users and of uploads, wherever they stand.

No part goes through a long word more than once, which authors print and strangers send: a name begins where
its word does, and a word that looks like the beginning of a token is taken whole, whatever comes of it.
"""


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without keys and tokens that can be told by their form, and without `secrets`.

    For everything that the house writes into a log. A secret of no known form, such as a password that an
    author prints, is not found.
    """
    for secret in secrets:
        text = text.replace(secret, _REDACTED)
    return _SECRETS.sub(_replace, text)


def _replace(match: re.Match[str]) -> str:
    if match["word"] is not None and match["rest"] is None:
        return match[0]
    if match["name"] is not None:
        return f"{match['name']}|{_REDACTED}"
    return (match["scheme"] or match["parameter"] or "") + _REDACTED
