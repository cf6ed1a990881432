"""The committed data dictionary is the one the declarations give."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_committed_dictionary_is_up_to_date() -> None:
    made = runpy.run_path(str(DOCS / "build.py"))["dictionary"]()
    assert (DOCS / "data-dictionary.md").read_text(encoding="utf-8") == made, "run `make docs` and commit the result"
