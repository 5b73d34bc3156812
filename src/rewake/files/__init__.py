"""Files: bytes that clients send and fetch over HTTP, and the sweeping of what nobody has.

Floor 4, on top of the documents (`database/files.py`) and the bytes (`blobs`). What HTTP looks like is
decided here, without HTTP: `http_api/files.py` only carries it.

    token, pieces  -> Files.receive -> id             uploads
    public name    -> Files.find    -> FileFacts -> plan_answer -> status, headers, which bytes -> Files.read
    deleted, lost  -> Files.sweep                     in small steps
"""

from rewake.files.answers import Answer, Asked, plan_answer
from rewake.files.store import (
    BadContentType,
    FileContentDamaged,
    Files,
    FileTooLarge,
    House,
    UploadTooSlow,
)

__all__ = [
    "Answer",
    "Asked",
    "BadContentType",
    "FileContentDamaged",
    "FileTooLarge",
    "Files",
    "House",
    "UploadTooSlow",
    "plan_answer",
]
