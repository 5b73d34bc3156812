"""What is wrong with a file that is to be imported, with the place where.

Floor 1, `archive`. Every text names the entry of the archive and the row in it, because that is what a person
has to look at.

    InvalidInput
    ├── ImportUnreadable    the file as a whole: no archive, damaged, a trick, too large
    └── ImportRowInvalid    one row: no JSON, no object, no document, an id that is taken

Not here: what is wrong with an import as a request (`deployment/importing.py`).
"""

from __future__ import annotations

from rewake.errors import InvalidInput


class ImportUnreadable(InvalidInput):
    """The file cannot be imported. The text says what is wrong with which part of it."""

    code = "ImportUnreadable"


class ImportRowInvalid(InvalidInput):
    """A row of the file cannot become a document. Mend it and import again; nothing was changed."""

    code = "ImportRowInvalid"
    template = "{entry}, {place}: {detail}"
