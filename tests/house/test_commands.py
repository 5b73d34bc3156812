"""The commands of the Makefile: what one of them touches is not where another keeps its files."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_what_make_touches_is_not_a_folder_of_the_benchmarks() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    touched = {
        rule.partition(":")[0] for rule in re.split(r"\n\n", makefile) if rule.rstrip().endswith("touch $@")
    }
    assert ".make/python" in touched, "the rule above has another form: mend this test"
    program = (ROOT / "benchmarks" / "__main__.py").read_text(encoding="utf-8")
    kept = re.findall(r'parents\[1\] / "\.make" / "([^"]+)"', program)
    assert kept, "benchmarks/__main__.py names its folder in another way: mend this test"
    assert not touched & {f".make/{name}" for name in kept}
