"""How verbs are run, and the whole way on a tiny simulated company: made once for all tests here."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from holdfast.app import app
from holdfast.run import ENVIRONMENT

TINY = (
    "simulated.accounts=120",
    "simulated.months=30",
    "model.trees=15",
    "backtest.horizons=[3, 6]",
    "backtest.origins=1",
    "forecast.draws=200",
    "demo.replay_months=0",
    "threads=1",
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from any params.yaml, with the environment put back."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """The options that make everything small."""
    return [part for setting in TINY for part in ("--set", setting)]


@pytest.fixture(scope="session")
def run(costly: None, tiny: list[str]) -> Callable[..., Result]:
    """Run a verb: run("forecast", "--json", data_dir=...); its arguments are laid over the tiny company's settings."""

    def run_verb(verb: str, *arguments: str, data_dir: Path | None = None) -> Result:
        options = ["--set", f"data_dir={data_dir}", *tiny] if data_dir else []
        return CliRunner().invoke(app, [verb, *options, *arguments])

    return run_verb


@pytest.fixture(scope="session")
def demo_data(run: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Result]]:
    """The data folder of a demo, run beside it, and what the demo printed. Nothing is published or recorded in it."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        result = run("demo", "--json", data_dir=folder / "data")
    yield folder / "data", result
    assert not (folder / "data" / "serving" / "current").exists(), "a test published in the demo that all share"
    dates = [path.name for path in (folder / "data" / "forecasts").glob("20*")]
    assert dates == ["2026-01-01"], "a test forecast in the demo that all share"


@pytest.fixture
def own_demo(demo_data: tuple[Path, Result], tmp_path: Path) -> Path:
    """A copy of the demo's data folder, for a test that publishes in it."""
    return shutil.copytree(demo_data[0], tmp_path / "own", symlinks=True)
