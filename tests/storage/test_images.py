"""Before-images: the first one of a key counts, in the order of keys."""

from __future__ import annotations

from rewake.storage import Images


def test_the_oldest_image_of_a_key_stays() -> None:
    images = Images()
    images.add([(1, b"b", "old"), (1, b"a", None)])
    images.add([(1, b"b", "newer"), (1, b"a", "newer"), (2, b"a", "other")])
    assert images.page(1, b"", b"z", limit=9) == [(b"a", None), (b"b", "old")]
    assert images.page(1, b"a\0", b"z", limit=9) == [(b"b", "old")]
    assert images.page(1, b"", b"z", limit=1) == [(b"a", None)]
    assert images.page(1, b"", b"b", limit=9) == [(b"a", None)]
    assert images.last_key(1) == b"b"
    assert images.last_key(3) == b""
    images.forget(1)
    assert images.page(1, b"", b"z", limit=9) == []
    assert images.page(2, b"", b"z", limit=9) == [(b"a", "other")]
    images.close()
    images.close()
