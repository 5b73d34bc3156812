"""Document writers: a document straight to the text that is stored, checked, in one pass.

Floor 1, `schema`, on `checking`; `database` asks for one of each table whose schema it enforces. The general
way goes over a document five times: its normal form, the validator, its text, the bounds of documents, and
whether it holds COMMIT_TS. Here every field is looked at once:

    type(a) is str          '{"_creationTime":' + ... + ',"body":' + quote(a) + ... + '}'

The fields are in a dict, or they are the attributes of an instance, which then needs no dict in between.

What was looked at is given back as a dict of its own, for the keys of indexes, so that nobody who still
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
from rewake.schema.codec import InstanceOf, OrNull, TypeCodec
from rewake.schema.mismatch import TableNames
from rewake.schema.plain_values import plain_value
from rewake.schema.validator import Validator
from rewake.schema.validators import VBoolean, VFloat64, VId, VLiteral, VNull, VObject, VString, VUnion
from rewake.values import UNSET, InvalidValue, Value, encode, holds_commit_ts
from rewake.values.encoding import encode_float
from rewake.values.names import field_names

Written = tuple[str, dict[str, Value]]
"""Canonical text, and the document in normal form."""

_ID, _TIME = "_id", "_creationTime"


class WriteDocument(Protocol):
    """Writes a document; None where it must go the general way."""

    def __call__(
        self,
        document: Any,
        id: str,
        time: float,
        tables: TableNames,
        straighten: Callable[[Any], Value],
        /,
    ) -> Written | None:
        """`document` is the author's: a dict without the system's fields, or an instance where the writer was
        made for these. `straighten` gives the normal form of a field.
        """
        ...


class _NotPlain(Exception):
    """The document must go the general way."""


def as_it_is(value: Value) -> Value:
    """What straightens a field that is in normal form."""
    return value


def document_writer(validator: Validator, instance: InstanceOf | None = None) -> WriteDocument | None:
    """What writes documents whose fields must be as `validator` says; None where it is no plain object.

    With `instance` it takes what the class makes, in place of a dict; None where the two have not the same
    fields.
    """
    if not isinstance(validator, VObject) or validator.constraints:
        return None
    if len(validator.fields) + 2 > OBJECT_FIELDS_MAX or any(name[:1] == "_" for name in validator.fields):
        return None
    if instance is not None and {x.stored for x in instance.fields} != {*validator.fields, _ID, _TIME}:
        return None
    writer = CheckWriter(
        {
            "BYTES_MAX": DOCUMENT_BYTES_MAX,
            "INF": inf,
            "REFUSED": (_NotPlain, InvalidValue, KeyError, TypeError, UnicodeEncodeError, RecursionError),
            "SAFE": SAFE_INTEGER_MAX,
            "UNSET": UNSET,
            "float_text": encode_float,
            "quote": encode_basestring,
        }
    )
    lines = [
        "try:",
        *(f"    {line}" for line in _body(writer, validator, instance)),
        "except REFUSED: return None",
    ]
    write: WriteDocument = writer.compile_function("write(x, id, time, tables, straighten)", lines)
    return write


class _Fields:
    """How the fields of a dict are taken: each once, and it must have no other."""

    absent = "ABSENT"

    def __init__(self, writer: CheckWriter, validator: VObject) -> None:
        self._writer = writer
        self.begin = ["count = len(x)"]
        self.end = [f"if count != {sum(not x.is_optional for x in validator.fields.values())}: return None"]

    def take(self, name: str, inner: Validator, a: str) -> list[str]:
        """Lines that put a field into the variable `a`."""
        key = self._writer.constant(name)
        return [f"{a} = x.get({key}, ABSENT)"] if inner.is_optional else [f"{a} = x[{key}]"]

    def use(self, name: str, inner: Validator, a: str) -> list[str]:
        """Lines that come before it is looked at, where it is there."""
        return ["count -= 1"] if inner.is_optional else []


class _Attributes:
    """How they are taken from an instance, and turned into values as its class turns them. What was stored
    before may be stored again as the same document.
    """

    absent = "UNSET"

    def __init__(self, writer: CheckWriter, instance: InstanceOf) -> None:
        self._writer = writer
        self._fields = {field.stored: field for field in instance.fields}
        self.begin = [
            f"if type(x) is not {writer.constant(instance.kind)}: return None",
            f"i, c = x.{self._fields[_ID].attribute}, x.{self._fields[_TIME].attribute}",
            "if i is not UNSET and (type(i) is not str or i != id): return None",
            "if c is not UNSET and (type(c) is not float or c != time): return None",
        ]
        self.end: list[str] = []

    def take(self, name: str, inner: Validator, a: str) -> list[str]:
        """As of a dict."""
        return [f"{a} = x.{self._fields[name].attribute}"]

    def use(self, name: str, inner: Validator, a: str) -> list[str]:
        """As of a dict."""
        codec = self._fields[name].codec
        if _scalar(inner, a) is not None and _is_its_own_value(codec):
            return []  # Another object, also UNSET, does not pass the check.
        missing = [] if inner.is_optional else [f"if {a} is UNSET: return None"]
        return [*missing, f"{a} = {self._writer.constant(codec.encode)}({a})"]


def _is_its_own_value(codec: TypeCodec) -> bool:
    """Whether what an author has in a field of a plain kind is what is stored, or an int for a float."""
    if isinstance(codec.made_of, OrNull):
        codec = codec.made_of.codec
    return codec.encode is plain_value and codec.decode in (None, int)


def _body(writer: CheckWriter, validator: VObject, instance: InstanceOf | None) -> list[str]:
    """Lines that take each field out of `x` once, check it, and write it in its place."""
    taken = _Fields(writer, validator) if instance is None else _Attributes(writer, instance)
    lines = ["if type(time) is not float or not 0.0 < time < INF: return None", *taken.begin]
    before, behind, entries, absent = "", "", "", []
    for i, (name, inner) in enumerate(sorted(validator.fields.items())):
        a, t, key = f"a{i}", f"t{i}", writer.constant(name)
        # The system's two fields are always there, and stand between capitals and small letters.
        is_before = name < _TIME
        label = writer.constant(("" if is_before else ",") + field_names[name])
        end = "," if is_before else ""
        steps = [*taken.use(name, inner, a), *_steps(writer, inner, a, t)]
        lines += taken.take(name, inner, a)
        if inner.is_optional:
            lines += [f"if {a} is {taken.absent}: {t} = ''", "else:"]
            lines += [f"    {step}" for step in [*steps, f"{t} = {label} + {t} + {end!r}"]]
            absent.append(f"if {a} is not {taken.absent}: document[{key}] = {a}")
            piece = f"{{{t}}}"
        else:
            lines += steps
            entries += f", {key}: {a}"
            piece = f"{{{label}}}{{{t}}}{end}"
        before, behind = (before + piece, behind) if is_before else (before, behind + piece)
    return [
        *lines,
        *taken.end,
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
