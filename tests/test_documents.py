"""The documents: links lead to files and headings, rooms and decisions are all listed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)


def links(text: str) -> list[str]:
    """The targets of all links but those to other hosts; what stands in code is none."""
    return [target for target in LINK.findall(CODE.sub("", text)) if "://" not in target]


def anchors(text: str) -> set[str]:
    """The headings of a page as a link names them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    bad = []
    for target in links(page.read_text(encoding="utf-8")):
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (heading and heading not in anchors(file.read_text(encoding="utf-8"))):
            bad.append(target)
    return bad


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One thing\n\n[here](#one-thing) [there](b.md#another) [code]: `[x](y.md)` [out](https://example.com/z)\n"
        "![gone](c.png) [no heading](#two-things)\n"
    )
    (tmp_path / "b.md").write_text("## Another\n")
    assert broken(tmp_path / "a.md") == ["c.png", "#two-things"]


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/decisions/[0-9]*.md")), ids=lambda page: page.stem)
def test_a_decision_says_what_was_measured_and_what_would_change_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.M)
    assert headings == ["Context", "Decision", "What was measured", "What would make us change it"]
    index = (page.parent / "README.md").read_text(encoding="utf-8")
    assert f"({page.name})" in index, "list it in docs/decisions/README.md"


@pytest.mark.parametrize("floor", ["features", "models", "training", "serving"])
def test_the_page_on_architecture_lists_every_room(floor: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for charter in sorted((ROOT / floor).glob("*/__init__.py")):
        assert f"| `{floor}/{charter.parent.name}` |" in text


NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def absent_tests(text: str) -> list[str]:
    """The tests that a text names and there are not."""
    return [
        f"{file}::{name}"
        for file, name in NAMED_TEST.findall(text)
        if not (ROOT / file).is_file() or (name and f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8"))
    ]


def test_every_promise_of_security_names_a_test_that_there_is() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promises = text.partition("\n| promise | held by |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    assert len(promises) > 20
    assert [line for line in promises if not NAMED_TEST.search(line.split("|")[2])] == []
    assert absent_tests(text) == []


def test_a_test_that_there_is_not_is_named() -> None:
    here = "`tests/test_documents.py::test_a_test_that_there_is_not_is_named` `tests/test_documents.py`"
    gone = "`tests/test_documents.py::test_gone` `tests/test_gone.py`"
    assert absent_tests(here + gone) == ["tests/test_documents.py::test_gone", "tests/test_gone.py::"]


def test_the_ml_test_score_adds_up_and_each_whole_point_names_a_test() -> None:
    text = (ROOT / "docs" / "ml-test-score.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([DMIO])\d \| [^|]+ \| ([\d.]+) \| (.+) \|$", text, re.M)
    assert len(rows) == 28
    sums = [sum(float(points) for part, points, _ in rows if part == letter) for letter in "DMIO"]
    said = [float(points) for points in re.findall(r"^\| [^|]+ \| \**([\d.]+)\** \|$", text, re.M)]
    assert said == [*sums, sum(sums)]
    assert f"The final score by the paper is {min(sums)}:" in text
    assert [row for row in rows if row[1] == "1" and "](../tests/" not in row[2]] == []
