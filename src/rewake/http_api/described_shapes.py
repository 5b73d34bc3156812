"""What bodies and answers look like, as JSON Schema.

Floor 6, `http_api`. Bodies that have a type of ours are read off it (`description.py`); here is the rest.

Not here: which endpoint takes or gives what.
"""

from __future__ import annotations

from typing import Any

from rewake.http_api.operations import REF

ARGUMENTS = {
    "description": "The object of arguments in encoded form, or an array with it as its one element.",
    "oneOf": [
        {"type": "object"},
        {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 1},
    ],
}
SCHEMAS: dict[str, Any] = {
    "FunctionResult": {
        "description": "What a function came to; the status is 200 in both cases.",
        "oneOf": [
            {
                "type": "object",
                "required": ["status", "value", "logLines"],
                "properties": {
                    "status": {"const": "success"},
                    "value": {},
                    "logLines": {"type": "array", "items": {"type": "string"}},
                },
            },
            {
                "type": "object",
                "required": ["status", "errorMessage", "logLines"],
                "properties": {
                    "status": {"const": "error"},
                    "errorMessage": {"type": "string"},
                    "errorData": {},
                    "logLines": {"type": "array", "items": {"type": "string"}},
                },
            },
        ],
    },
    "Error": {
        "description": "Whatever goes wrong outside a function.",
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    },
    "Timestamp": {
        "type": "object",
        "required": ["ts"],
        "properties": {"ts": {"type": "string", "description": "Opaque; good for about an hour."}},
    },
    "FunctionResults": {
        "type": "object",
        "required": ["results"],
        "properties": {"results": {"type": "array", "items": {"$ref": REF.format(name="FunctionResult")}}},
    },
    "EnvironmentVariables": {
        "type": "object",
        "required": ["environmentVariables"],
        "properties": {
            "environmentVariables": {"type": "object", "additionalProperties": {"type": "string"}}
        },
    },
    "LogEntries": {
        "type": "object",
        "required": ["entries", "newCursor"],
        "properties": {
            "entries": {"type": "array", "items": {"type": "object"}},
            "newCursor": {"type": "number"},
        },
    },
    "Series": {"type": "array", "items": {"type": "array"}},
    "Keys": {
        "type": "object",
        "required": ["keys"],
        "properties": {"keys": {"type": "array", "items": {"type": "object"}}},
    },
    "FreshKey": {
        "description": "The one time that the key itself is told.",
        "type": "object",
        "required": ["id", "key"],
        "properties": {"id": {"type": "string"}, "key": {"type": "string"}},
    },
    "Rows": {
        "type": "object",
        "required": ["columns", "rows", "isCut"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {"type": "array", "items": {"type": "array"}},
            "isCut": {"type": "boolean", "description": "There are more rows than one answer holds."},
        },
    },
    "Deploys": {
        "type": "object",
        "required": ["deploys"],
        "properties": {"deploys": {"type": "array", "items": {"type": "object"}}},
    },
    "DeployPlan": {
        "description": "What a deploy changes, and how far it is.",
        "type": "object",
        "required": ["plan", "state", "base", "number", "isUnchanged", "changes", "progress", "error"],
        "properties": {
            "plan": {"type": "string"},
            "state": {"enum": ["planned", "working", "done", "failed"]},
            "changes": {"type": "object"},
        },
    },
    "StorageId": {
        "type": "object",
        "required": ["storageId"],
        "properties": {"storageId": {"type": "string"}},
    },
    "UploadToken": {
        "type": "object",
        "required": ["uploadToken"],
        "properties": {"uploadToken": {"type": "string"}},
    },
    "PartToken": {"type": "string"},
    "ImportId": {
        "type": "object",
        "required": ["importId"],
        "properties": {"importId": {"type": "string"}},
    },
    "Imported": {
        "type": "object",
        "required": ["numWritten"],
        "properties": {"numWritten": {"type": "integer"}},
    },
    "ExportRequested": {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}},
    },
    "FeedRows": {
        "description": "Rows of tables, and where to go on.",
        "type": "object",
        "required": ["values", "cursor", "hasMore"],
        "properties": {
            "values": {"type": "array", "items": {"type": "object"}},
            "snapshot": {"type": "integer"},
            "cursor": {},
            "hasMore": {"type": "boolean"},
        },
    },
    "SchemaOrNull": {"type": ["object", "null"]},
    "Null": {"type": "null"},
    "Empty": {"type": "object"},
}
