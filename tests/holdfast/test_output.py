"""Commands that can be pasted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.output import command


@pytest.mark.parametrize(
    ("called", "pasted"),
    [
        ("HERE/.venv/bin/holdfast", ".venv/bin/holdfast explain 'a b'"),
        (".venv/bin/holdfast", ".venv/bin/holdfast explain 'a b'"),
        ("HERE/on_path/holdfast", "holdfast explain 'a b'"),
        ("/elsewhere/holdfast", "/elsewhere/holdfast explain 'a b'"),
        ("HERE/holdfast/__main__.py", f"{sys.executable} -m holdfast explain 'a b'"),
    ],
)
def test_a_command_is_named_as_it_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, pasted: str
) -> None:
    program = tmp_path / "on_path" / "holdfast"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(sys, "argv", [called.replace("HERE", str(tmp_path)), "demo"])
    assert command("explain", "a b") == pasted


CHATTER = """
import os, sys
import holdfast, holdfast.app
from holdfast.output import print_json

def app():
    os.write(1, b"Solver: tmpSolver.run();" + os.linesep.encode())
    print_json({"rows": []})

holdfast.app.app = app
sys.argv = ["holdfast", "actions", "--json"]
holdfast.main()
"""


def test_what_a_solver_prints_by_itself_is_no_part_of_the_json() -> None:
    """HiGHS did, before the plan of 10,000 accounts."""
    ran = subprocess.run([sys.executable, "-c", CHATTER], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == {"rows": []}
    assert "tmpSolver" in ran.stderr
