"""A bucket as a blob store: what only a bucket has. The rest is in `test_store.py`."""

from __future__ import annotations

import pytest

from rewake.blobs import BlobStoreFailed
from rewake.blobs.bucket import BucketStore

KEY = "ab5f4d6e-0000-4000-8000-00000000000a"


@pytest.mark.usefixtures("bucket_url")
def test_a_bucket_that_is_not_there_is_said_so() -> None:
    store = BucketStore("no-such-bucket-here")
    writer = store.create(KEY)
    writer.write(b"12345")
    with pytest.raises(BlobStoreFailed):
        writer.finish()
    writer.abort()


@pytest.mark.usefixtures("bucket_url")
def test_prefixes_keep_deployments_apart() -> None:
    one, two = BucketStore("rewake-tests", "one"), BucketStore("rewake-tests", "two")
    for store, data in ((one, b"1"), (two, b"22")):
        writer = store.create(KEY)
        writer.write(data)
        writer.finish()
    assert (one.size(KEY), two.size(KEY)) == (1, 2)
    one.delete(KEY)
    assert b"".join(two.read(KEY, stop=2)) == b"22"
