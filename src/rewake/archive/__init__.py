"""Archives: tables and files of a deployment as one ZIP file, in the layout of the official product.

Floor 1. Names and texts only: what lies where in an archive, and how a table's file is read and written.

    open_source -> Source -> rows -> document_of        what is imported (`snapshot.py`)

Not here: the rows themselves (`database`), who exports and imports (`deployment`).
"""

from rewake.archive.documents import ImportedDocument, document_of
from rewake.archive.errors import ImportRowInvalid, ImportUnreadable
from rewake.archive.layout import STORAGE_ROWS, TABLE_NUMBERS, rows_of, schema_of
from rewake.archive.rows import Row
from rewake.archive.snapshot import Format, Source, open_source
from rewake.archive.writing import ArchiveWriter, extension_of

__all__ = [
    "STORAGE_ROWS",
    "TABLE_NUMBERS",
    "ArchiveWriter",
    "Format",
    "ImportRowInvalid",
    "ImportUnreadable",
    "ImportedDocument",
    "Row",
    "Source",
    "document_of",
    "extension_of",
    "open_source",
    "rows_of",
    "schema_of",
]
