"""Files of variables: what a text of assignments says, and what is told of one that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.cli.env_files import parse_variables, read_variables_file
from rewake.cli.failure import CommandFailed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("A=1\n\n# comment\n  B = 2  \nexport C=3", {"A": "1", "B": "2", "C": "3"}),
        ("A=1 # why\nB=a#b\nC=#", {"A": "1", "B": "a#b", "C": ""}),
        ("A=\nA=2", {"A": "2"}),
        ("A='it\\n # stays'", {"A": "it\\n # stays"}),
        ('A="line\\nnext \\"quoted\\" \\\\" # told', {"A": 'line\nnext "quoted" \\'}),
        ('KEY="-----BEGIN\nabc\n-----END"\nB=1', {"KEY": "-----BEGIN\nabc\n-----END", "B": "1"}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=b=c", {"A": "b=c"}),
    ],
)
def test_a_text_of_assignments_is_read_as_dotenv_does(text: str, expected: dict[str, str]) -> None:
    assert parse_variables(text, where=".env") == expected


@pytest.mark.parametrize("text", ["A=1\ns3cret", "A=1\n1B=2", 'A=1\nB="s3cret\nmore'])
def test_a_line_that_is_none_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(CommandFailed, match=r"ine 2 of \.env") as refused:
        parse_variables(text, where=".env")
    assert "s3cret" not in refused.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"A=\xff")
    with pytest.raises(CommandFailed, match="it is not UTF-8 text"):
        read_variables_file(tmp_path / "a")
