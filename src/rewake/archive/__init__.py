"""Archives: tables and files of a deployment as one ZIP file, in the layout of the official product.

Floor 1. Names and texts only: what lies where in an archive, and how a table's file is read and written.

Not here: the rows themselves (`database`), who exports and imports (`deployment`).
"""

from rewake.archive.layout import STORAGE_ROWS, TABLE_NUMBERS, rows_of, schema_of

__all__ = ["STORAGE_ROWS", "TABLE_NUMBERS", "rows_of", "schema_of"]
