"""A snapshot as the official product writes it, byte by byte as wire 7.7 describes it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from rewake.values import Value, encode_export, encode_id

OFFICIAL_STORAGE_NUMBER = 540


def id_of(number: int, n: int) -> str:
    """The id of the `n`th document of a table."""
    return encode_id(number, n.to_bytes(16, "big"))


def official_zip(
    tables: Mapping[str, tuple[int, list[dict[str, Value]]]],
    files: Mapping[str, tuple[bytes, str]] | None = None,
    *,
    folder: str = "",
    extra: Mapping[str, bytes] | None = None,
) -> bytes:
    """`tables` are numbers and documents by name; `files` bytes and content types by storage id."""
    entries: dict[str, bytes] = {"README.md": b"# Snapshot export\n"}
    numbers = [{"name": name, "id": number} for name, (number, _) in tables.items()]
    entries["_tables/documents.jsonl"] = _lines(json.dumps(each) for each in numbers)
    for name, (_, documents) in tables.items():
        entries[f"{name}/documents.jsonl"] = _lines(encode_export(each) for each in documents)
        entries[f"{name}/generated_schema.jsonl"] = b'"uniform"\n'
    rows: list[str] = []
    for id, (content, kind) in (files or {}).items():
        fields: dict[str, Any] = {
            "_id": id,
            "_creationTime": 1_600_000_000_000.25,
            "sha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
            "size": len(content),
            "contentType": kind,
            "internalId": "0f7a21b9-d44e-4c1a-9b7e-3f2a1d0c9b8e",
        }
        rows.append(json.dumps(fields))
        entries[f"_storage/{id}.png"] = content
    if files is not None:
        entries["_storage/documents.jsonl"] = _lines(rows)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**entries, **(extra or {})}.items():
            entry = zipfile.ZipInfo(folder + name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return written.getvalue()


def _lines(lines: Any) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
