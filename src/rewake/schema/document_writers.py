"""Document writers: the fields of a document straight to the text that is stored, checked, in one pass.

Floor 1, `schema`, on `checking`; `database` asks for one of each table whose schema it enforces. The general
way goes over a document five times: its normal form, the validator, its text, the bounds of documents, and
whether it holds COMMIT_TS. Here every field is looked at once:

    type(a) is str          '{"_creationTime":' + ... + ',"body":' + quote(a) + ... + '}'

and what was looked at is given back as a dict of its own, for the keys of indexes, so that nobody who still
holds the fields can change them in between. A field that is no scalar of a plain kind goes the general way by
itself. What is not as it should be, or near a bound, or holds COMMIT_TS gets None: then the caller goes the
general way with the whole document, which says what is wrong; a property test holds the two to one text.

Not here: that way (`values/normal_form.py`, `validator`, `values/encoding.py`), results (`text_writers`).
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring
from math import inf
from typing import Any, Protocol

from rewake.limits import DOCUMENT_BYTES_MAX, DOCUMENT_NESTING_MAX, OBJECT_FIELDS_MAX, SAFE_INTEGER_MAX
from rewake.schema.checking import CheckWriter
from rewake.schema.mismatch import TableNames
from rewake.schema.validator import Validator
from rewake.schema.validators import VBoolean, VFloat64, VId, VLiteral, VNull, VObject, VString, VUnion
from rewake.values import InvalidValue, Value, encode, holds_commit_ts
from rewake.values.encoding import encode_float
from rewake.values.names import field_names

Written = tuple[str, dict[str, Value]]
"""Canonical text, and the document in normal form."""

_ID, _TIME = "_id", "_creationTime"


class WriteDocument(Protocol):
    """Writes the document that has these fields; None where it must go the general way."""

    def __call__(
        self,
        fields: dict[str, Any],
        id: str,
        time: float,
        tables: TableNames,
        straighten: Callable[[Any], Value],
        /,
    ) -> Written | None:
        """`fields` are the author's, without the system's; `straighten` gives the normal form of one."""
        ...


class _NotPlain(Exception):
    """The document must go the general way."""


def as_it_is(value: Value) -> Value:
    """What straightens a field that is in normal form."""
    return value


def document_writer(validator: Validator) -> WriteDocument | None:
    """What writes documents whose fields must be as `validator` says; None where it is no plain object."""
    if not isinstance(validator, VObject) or validator.constraints:
        return None
    if len(validator.fields) + 2 > OBJECT_FIELDS_MAX or any(name[:1] == "_" for name in validator.fields):
        return None
    writer = CheckWriter(
        {
            "BYTES_MAX": DOCUMENT_BYTES_MAX,
            "INF": inf,
            "REFUSED": (_NotPlain, InvalidValue, KeyError, TypeError, UnicodeEncodeError, RecursionError),
            "SAFE": SAFE_INTEGER_MAX,
            "float_text": encode_float,
            "quote": encode_basestring,
        }
    )
    lines = ["try:", *(f"    {line}" for line in _body(writer, validator)), "except REFUSED: return None"]
    write: WriteDocument = writer.compile_function("write(x, id, time, tables, straighten)", lines)
    return write


def _body(writer: CheckWriter, validator: VObject) -> list[str]:
    """Lines that take each field out of `x` once, check it, and write it in its place."""
    lines = ["if type(time) is not float or not 0.0 < time < INF: return None", "count = len(x)"]
    before, behind, entries, absent, required = "", "", "", [], 0
    for i, (name, inner) in enumerate(sorted(validator.fields.items())):
        a, t, key = f"a{i}", f"t{i}", writer.constant(name)
        # The system's two fields are always there, and stand between capitals and small letters.
        is_before = name < _TIME
        label = writer.constant(("" if is_before else ",") + field_names[name])
        end = "," if is_before else ""
        steps = _steps(writer, inner, a, t)
        if inner.is_optional:
            lines += [f"{a} = x.get({key}, ABSENT)", f"if {a} is ABSENT: {t} = ''", "else:", "    count -= 1"]
            lines += [f"    {step}" for step in [*steps, f"{t} = {label} + {t} + {end!r}"]]
            absent.append(f"if {a} is not ABSENT: document[{key}] = {a}")
            piece = f"{{{t}}}"
        else:
            lines += [f"{a} = x[{key}]", *steps]
            entries += f", {key}: {a}"
            piece = f"{{{label}}}{{{t}}}{end}"
            required += 1
        before, behind = (before + piece, behind) if is_before else (before, behind + piece)
    return [
        *lines,
        f"if count != {required}: return None",
        f'text = f\'{{{{{before}"{_TIME}":{{time!r}},"{_ID}":"{{id}}"{behind}}}}}\'',
        "if not text.isascii(): text.encode()",  # Finds a lone surrogate.
        # No value is more than four times as large as its text.
        "if 4 * len(text) > BYTES_MAX: return None",
        f"document = {{'{_ID}': id, '{_TIME}': time{entries}}}",
        *absent,
        "return text, document",
    ]


def _steps(writer: CheckWriter, validator: Validator, a: str, t: str) -> list[str]:
    """Lines that check the field in the variable `a` and put its text into `t`."""
    text = _scalar(validator, a)
    if text is None:
        return [f"{a}, {t} = {writer.constant(_other(validator))}({a}, tables, straighten)"]
    steps = [f"if not {validator.write_check(writer, a)}: return None", f"{t} = {text}"]
    if "float_text" in text:
        steps.insert(0, f"if type({a}) is int and -SAFE <= {a} <= SAFE: {a} = float({a})")
    return steps


def _scalar(validator: Validator, a: str) -> str | None:
    """An expression for the text of what the validator accepts, where that is of one plain kind, or null."""
    if isinstance(validator, VUnion):
        some = [member for member in validator.members if not isinstance(member, VNull)]
        texts = {_scalar(member, a) for member in some}
        text = texts.pop() if len(texts) == 1 else None
        is_whole = len(some) == len(validator.members)
        return text if text is None or is_whole else f"('null' if {a} is None else {text})"
    if isinstance(validator, VString | VId) or (
        isinstance(validator, VLiteral) and type(validator.value) is str
    ):
        return f"quote({a})"
    if isinstance(validator, VFloat64):
        return f"(repr({a}) if {a} and -INF < {a} < INF else float_text({a}))"
    if isinstance(validator, VBoolean):
        return f"('true' if {a} else 'false')"
    return "'null'" if isinstance(validator, VNull) else None


def _other(
    validator: Validator,
) -> Callable[[Any, TableNames, Callable[[Any], Value]], tuple[Value, str]]:
    """The general way, for one field."""

    def other(thing: Any, tables: TableNames, straighten: Callable[[Any], Value]) -> tuple[Value, str]:
        value = straighten(thing)
        if not validator.accepts(value, tables):
            raise _NotPlain
        text = encode(value)
        # The document itself is one level more.
        if holds_commit_ts(text) or text.count("{") + text.count("[") >= DOCUMENT_NESTING_MAX:
            raise _NotPlain
        return value, text

    return other
