"""Types that no value stands for, and what to write instead.

Floor 1, `schema`. Asked at definition time by `type_codec` and at run time by `plain_values`, so that an
author reads the same advice in both places. Found along the class's bases by name: nothing is imported for
it.
"""

from __future__ import annotations

_ADVICE = {
    "datetime.datetime": "store milliseconds since the epoch as a float (`when.timestamp() * 1000`)",
    "datetime.date": 'store a string such as "2024-01-31" (`day.isoformat()`)',
    "datetime.time": 'store a string such as "09:30:00" (`time.isoformat()`)',
    "datetime.timedelta": "store milliseconds as a float (`delta.total_seconds() * 1000`)",
    "uuid.UUID": "store a string (`str(uuid)`), or use the document's own id",
    "decimal.Decimal": "store a string (`str(amount)`), or whole cents as an int or Int64",
    "fractions.Fraction": "store numerator and denominator as two Int64 fields",
    "builtins.complex": "store two floats",
    "builtins.set": "store a list, or a dict[str, bool] where membership is asked often",
    "builtins.frozenset": "store a list, or a dict[str, bool] where membership is asked often",
    "builtins.bytearray": "store bytes (`bytes(buffer)`)",
    "builtins.memoryview": "store bytes (`bytes(view)`)",
    "pathlib.PurePath": "store a string (`str(path)`)",
}


def advice_for(kind: type) -> str | None:
    """The sentence that refuses `kind`, or None for a type that has no known trouble."""
    for base in getattr(kind, "__mro__", ()):
        advice = _ADVICE.get(f"{base.__module__}.{base.__qualname__}")
        # PurePath moved house between Python versions.
        if advice is None and base.__qualname__ == "PurePath":
            advice = _ADVICE["pathlib.PurePath"]
        if advice is not None:
            return f"{kind.__qualname__} cannot be stored or sent: {advice}."
    return None
