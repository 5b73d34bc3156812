"""Client versions: header before path, longest version, chunks for the right npm only (wire 1.2, 1.9)."""

from __future__ import annotations

import pytest

from rewake.protocol import UNKNOWN_CLIENT, ClientVersion, InvalidClientVersion, client_version


@pytest.mark.parametrize(
    ("header", "name", "release"),
    [
        ("python-0.8.1", "python", (0, 8, 1)),
        ("npm-cli-1.48.0", "npm-cli", (1, 48, 0)),
        ("rust-0.10.4", "rust", (0, 10, 4)),
        ("my-esolang-client-0.0.1", "my-esolang-client", (0, 0, 1)),
        ("npm-1.30.0+build-5", "npm", (1, 30, 0)),
    ],
)
def test_the_header_gives_name_and_version(header: str, name: str, release: tuple[int, int, int]) -> None:
    assert client_version(header, None) == ClientVersion(name, release)


def test_the_longest_suffix_that_is_a_version_counts() -> None:
    assert client_version("npm-1.28.0-alpha-1.2", None) == ClientVersion(
        "npm", (1, 28, 0), is_prerelease=True
    )


def test_the_header_wins_over_the_path() -> None:
    assert client_version("python-0.8.1", "1.48.0").name == "python"


def test_a_versioned_sync_path_is_npm_and_any_other_the_command_line() -> None:
    assert client_version(None, "1.48.0") == ClientVersion("npm", (1, 48, 0))
    assert client_version(None, "1.48.0", is_sync=False).name == "npm-cli"


def test_a_client_that_says_nothing_is_welcome() -> None:
    assert client_version(None, None) == UNKNOWN_CLIENT
    assert not UNKNOWN_CLIENT.takes_chunks


@pytest.mark.parametrize("header", ["", "npm", "npm-1.2", "-1.2.3", "npm-01.2.3", "1.2.3", "npm-1.2.3.4"])
def test_a_header_without_version_is_refused_with_the_official_text(header: str) -> None:
    with pytest.raises(InvalidClientVersion) as caught:
        client_version(header, None)
    assert caught.value.message == (
        f"Failed to parse client version string: '{header}'. "
        "Expected format is {client_name}-{semver}, e.g. my-esolang-client-0.0.1"
    )


@pytest.mark.parametrize("version", ["1.2." + "9" * 5_000, "1.2.3-" + "a" * 251, "1.2.3-" * 5_000])
def test_what_is_longer_than_any_real_version_is_refused_unread(version: str) -> None:
    for header, path in ((f"npm-{version}", None), (None, version)):
        with pytest.raises(InvalidClientVersion):
            client_version(header, path)


def test_a_version_may_have_256_characters() -> None:
    version = "1.2.3-" + "a" * 250
    assert client_version(None, version).is_prerelease
    assert client_version(f"npm-{version[:-4]}", None).is_prerelease


def test_a_path_segment_that_is_no_version_is_refused() -> None:
    with pytest.raises(InvalidClientVersion, match="'latest'"):
        client_version(None, "latest")


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("npm-1.27.9", False),
        ("npm-1.28.0-alpha.1", False),
        ("npm-1.28.0", True),
        ("npm-1.48.0", True),
        ("npm-1.48.0-beta.1", True),
        ("npm-2.0.0", True),
        ("python-9.9.9", False),
        ("npm-cli-1.48.0", False),
    ],
)
def test_chunks_are_for_npm_since_1_28(header: str, takes: bool) -> None:
    assert client_version(header, None).takes_chunks is takes
