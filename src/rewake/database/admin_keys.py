"""Issued keys as documents of `_admin_keys`.

Floor 2, `database`. A document holds what may be known of a key, and the SHA-256 of its secret; never the
secret. A key that was revoked stays, so that a list says what became of it, until its place is needed.

    {key, label, scopes, digest, createdAt, expiresAt?, revokedAt?, lastUsedAt?}       by_key

Times are milliseconds since the epoch. Functions do not see the table (`catalog.HIDDEN_TABLES`).

Not here: making and comparing keys (`auth/keyring.py`), who may (`http_api`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rewake.auth import IssuedKey, Scope
from rewake.database.catalog import ADMIN_KEYS
from rewake.database.document_writes import Fields
from rewake.database.writes import WriteTransaction
from rewake.errors import Conflict, InvalidInput, NotFound
from rewake.limits import ADMIN_KEYS_MAX, KEY_LABEL_LENGTH_MAX
from rewake.storage import Reads
from rewake.values import decode_stored_document, encode_key, key_successor

ADMIN_KEYS_TABLET = ADMIN_KEYS.tablet
_BY_KEY = ADMIN_KEYS.indexes["by_key"].id


class _Stored(msgspec.Struct, frozen=True, rename="camel"):
    """A document, as far as it is about the key."""

    key: str
    label: str
    scopes: frozenset[Scope]
    digest: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None

    def key_of(self) -> IssuedKey:
        return IssuedKey(
            id=self.key,
            label=self.label,
            scopes=self.scopes,
            digest=self.digest,
            created_ms=self.created_at,
            expires_ms=self.expires_at,
            revoked_ms=self.revoked_at,
            last_used_ms=self.last_used_at,
        )


_decoder = msgspec.json.Decoder(_Stored)


class KeyLabelInvalid(InvalidInput):
    """A label says what a key is for. Write one line of text."""

    code = "KeyLabelInvalid"
    template = "A key needs a label of 1 to {limit} characters, on one line."


class KeyScopesInvalid(InvalidInput):
    """A key may do what its scopes say, and there is at least one."""

    code = "KeyScopesInvalid"
    template = "A key needs at least one of these scopes: {known}."


class KeyExpiryInvalid(InvalidInput):
    """A key that has expired before it was made would open nothing."""

    code = "KeyExpiryInvalid"
    template = "A key must expire in the future, or never."


class TooManyKeys(Conflict):
    """There are as many good keys as there may be. Revoke some that nobody uses."""

    code = "TooManyKeys"
    template = "There are {limit} keys that are good, which is the most there may be."


class KeyNotFound(NotFound):
    """There is no key of this id. `rewake keys list` shows those that there are."""

    code = "KeyNotFound"
    template = "There is no key with the id `{id}`."


KEY_REFUSALS: dict[str, type[InvalidInput | Conflict | NotFound]] = {
    refusal.code: refusal
    for refusal in (KeyLabelInvalid, KeyScopesInvalid, KeyExpiryInvalid, TooManyKeys, KeyNotFound)
}
"""Why a change of keys can be refused, by code: it comes from the writer's process as code and text."""


def stored_keys(reads: Reads) -> list[IssuedKey]:
    """All keys that were issued, by id."""
    page = reads.page(_BY_KEY, b"", None, descending=False, limit=ADMIN_KEYS_MAX)
    return [_decoder.decode(text).key_of() for _, text in page]


def issue_key(
    transaction: WriteTransaction,
    *,
    id: str,
    label: str,
    scopes: Iterable[str],
    digest: str,
    expires_ms: float | None,
) -> None:
    """Store a key that was just made. Where no place is left, the oldest that is not good any more goes.

    Raises:
        KeyLabelInvalid, KeyScopesInvalid, KeyExpiryInvalid, TooManyKeys: nothing was stored.
    """
    now_ms = transaction.now_ms
    wanted = check_scopes(scopes)
    if not 0 < len(label) <= KEY_LABEL_LENGTH_MAX or not label.isprintable() or label.isspace():
        raise KeyLabelInvalid(limit=KEY_LABEL_LENGTH_MAX)
    if expires_ms is not None and not now_ms < expires_ms:
        raise KeyExpiryInvalid()
    kept = stored_keys(transaction.reads)
    if len(kept) >= ADMIN_KEYS_MAX:
        over = [key for key in kept if _is_over(key, now_ms)]
        if not over:
            raise TooManyKeys(limit=ADMIN_KEYS_MAX)
        _delete(transaction, min(over, key=lambda key: key.created_ms).id)
    fields: Fields = {
        "key": id,
        "label": label,
        "scopes": [scope.value for scope in sorted(wanted)],
        "digest": digest,
        "createdAt": float(now_ms),
    }
    if expires_ms is not None:
        fields["expiresAt"] = float(expires_ms)
    transaction.insert_into(ADMIN_KEYS, fields)


def revoke_key(transaction: WriteTransaction, id: str) -> None:
    """Take a key back; one that was, stays as it is.

    Raises:
        KeyNotFound: there is none of this id.
    """
    if not _change(transaction, id, "revokedAt", float(transaction.now_ms), again=False):
        raise KeyNotFound(id=id[:80])


def note_key_use(transaction: WriteTransaction, id: str, at_ms: float) -> None:
    """Take down when a key was last used. Nothing happens where there is no such key."""
    _change(transaction, id, "lastUsedAt", float(at_ms), again=True)


def check_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    """The scopes of these names.

    Raises:
        KeyScopesInvalid: one is none, or there is none at all.
    """
    try:
        wanted = frozenset(Scope(scope) for scope in scopes)
    except ValueError:
        wanted = frozenset()
    if not wanted:
        raise KeyScopesInvalid(known=", ".join(Scope))
    return wanted


def _is_over(key: IssuedKey, now_ms: float) -> bool:
    return key.revoked_ms is not None or (key.expires_ms is not None and key.expires_ms <= now_ms)


def _change(transaction: WriteTransaction, id: str, name: str, value: float, *, again: bool) -> bool:
    """Set a field of the document of a key; False where there is none."""
    document_id = _document_id(transaction, id)
    if document_id is None:
        return False
    found = transaction.target(ADMIN_KEYS, document_id)
    assert found is not None, "the index has just shown it"
    old, row, document = found
    if again or name not in document:
        changed: Fields = {**document, name: value}
        transaction.update_in(ADMIN_KEYS, document_id, row, old=old, document=document, changed=changed)
    return True


def _delete(transaction: WriteTransaction, id: str) -> None:
    document_id = _document_id(transaction, id)
    assert document_id is not None, "it was just read"
    found = transaction.target(ADMIN_KEYS, document_id)
    assert found is not None, "the index has just shown it"
    old, row, document = found
    transaction.delete_from(ADMIN_KEYS, document_id, row, old=old, document=document)


def _document_id(transaction: WriteTransaction, id: str) -> str | None:
    prefix = encode_key([id])
    page = transaction.reads.page(_BY_KEY, prefix, key_successor(prefix), descending=False, limit=1)
    if not page:
        return None
    fields = decode_stored_document(page[0][1])
    return str(fields["_id"])
