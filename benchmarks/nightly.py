"""Puts what `make nightly` found together as docs/nightly.md, which is committed: the last figures known."""

import platform
import subprocess
from pathlib import Path

from benchmarks import mutation, run

PAGE = Path(__file__).parents[1] / "docs" / "nightly.md"


def main() -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    head = f"What `make nightly` last found, at commit {commit.stdout.strip()}, on Python {platform.python_version()}."
    parts = ["# The nightly run", head, run.OUT.read_text(encoding="utf-8").removeprefix("# Benchmarks\n").strip()]
    parts += ["## Mutants", mutation.__doc__.partition("\n\n")[2].strip(), mutation.OUT.read_text(encoding="utf-8")]
    PAGE.write_text("\n\n".join(parts), encoding="utf-8")
    print(f"Written to {PAGE}")


if __name__ == "__main__":
    main()
