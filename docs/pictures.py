"""Takes the README's pictures of what `make demo`, `holdfast backtest` and `holdfast publish` made in `data`.

Run `python -m docs.pictures` (or `make pictures`); it takes Chromium.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).with_name("images")
PAGES = {
    "portfolio": ("/", 1120),
    "account": ("/accounts/A-002a87", 1190),
    "books": ("/?for=manager", 850),
}
COLOURS = 96  # of a picture: a page has few, and fewer make a smaller file
WIDTH = 900
DATA = Path("data")
SIGN_IN = re.compile(r"(http://127\.0\.0\.1:\d+)/sign-in\?once=\S+")


def main() -> None:
    """Take them all."""
    IMAGES.mkdir(exist_ok=True)
    backtest = (DATA / "backtests" / "latest").resolve().name
    shutil.copyfile(DATA / "mlflow-artifacts" / backtest / "artifacts/figures/backtest.png", IMAGES / "backtest.png")
    slim(IMAGES / "backtest.png")
    with service() as sign_in, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": WIDTH}, color_scheme="light")
        page.goto(sign_in)
        for name, (path, height) in PAGES.items():
            take(page, SIGN_IN.match(sign_in)[1] + path, IMAGES / f"{name}.png", height)
        browser.close()


def take(page: Page, url: str, file: Path, height: int) -> None:
    """The top `height` pixels of a page."""
    page.goto(url)
    page.screenshot(path=file, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    slim(file)


def slim(file: Path) -> None:
    """The same picture with fewer colours."""
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)


@contextmanager
def service() -> Iterator[str]:
    """The service on a free port of this machine; yields the address that signs in, once."""
    command = [sys.executable, "-m", "holdfast", "serve", "--set", "serving.port=0", "--set", "serving.workers=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield _signed_in_once_listening(process)
        finally:
            process.terminate()


def _signed_in_once_listening(process: subprocess.Popen[str]) -> str:
    address = None
    for line in process.stdout:
        match = SIGN_IN.search(line)
        address = match[0] if match else address
        if address and "listens on" in line:
            return address
    raise SystemExit("The service did not start: run `make demo` and `holdfast publish` first.")


if __name__ == "__main__":
    main()
