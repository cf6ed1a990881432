"""What an answer costs over HTTP, against the same work in process, a plain FastAPI app and `mlflow models serve`.

    python -m benchmarks.serving --data data

`data` holds a champion and a publication, as `holdfast demo` and `holdfast publish` leave them. All servers run on
loopback with one worker, are asked by one caller over one kept connection, and take turns within the same run.
What the pages cost is asked by `benchmarks.pages`.
"""

import argparse
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.measure import markdown
from serving.access.tokens import Tokens
from serving.publication import publication_file

OUT = Path(__file__).with_name("out") / "serving.md"
ROUNDS, ASKED_A_ROUND = 6, 400
MLFLOW_ASKED = 60
LIVE_ACCOUNTS, LIVE_ROUNDS = 1000, 3
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "BENTOML_DO_NOT_TRACK": "true",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # where MLflow looks for uvicorn
}


class Server:
    """A server of its own process, asked over one connection."""

    def __init__(
        self, command: Sequence[str], port: int, ready: str, log: Path, token: str = "", **environment: str
    ) -> None:
        self._log = log.open("w")
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=subprocess.STDOUT, env={**os.environ, **ENVIRONMENT, **environment},
            start_new_session=True,
        )  # fmt: skip
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        end = time.monotonic() + 300
        while self._status(ready) != 200:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[:4]} did not come up:\n{log.read_text()[-3000:]}")
            time.sleep(0.3)

    def _status(self, path: str) -> int:
        try:
            return self.ask("GET", path)[0]
        except OSError:
            self._connection.close()
            return 0

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def times(self, asked: int, method: str, path: str, body: bytes | None = None) -> list[float]:
        """Milliseconds of each request, after one on a new connection: an idle one may have been closed."""
        self._connection.close()
        self.ask(method, path, body)
        taken = []
        for _ in range(asked):
            start = time.perf_counter()
            status, _ = self.ask(method, path, body)
            taken.append(1000 * (time.perf_counter() - start))
            if status != 200:
                raise RuntimeError(f"{method} {path}: {status}")
        return taken

    def cpu_ms(self) -> float:
        """Milliseconds of CPU that its processes have taken so far: a busy machine adds little to them."""
        ticks, children = {}, defaultdict(list)
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                fields = file.read_text().rpartition(")")[2].split()  # from the state on, see proc_pid_stat(5)
                ticks[int(file.parent.name)] = sum(map(int, fields[11:13]))
                children[int(fields[1])].append(int(file.parent.name))
        family = [self.process.pid]
        for process in family:  # grows as it goes
            family += children[process]
        return 1000 * sum(ticks.get(process, 0) for process in family) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._connection.close()
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._log.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    data = parser.parse_args().data.resolve()
    os.environ.update(ENVIRONMENT)
    parts = []
    with tempfile.TemporaryDirectory() as name:
        for part in (lookup(data, Path(name)), live(data, Path(name))):
            print(part, flush=True)
            parts.append(part)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("\n".join(["# Benchmarks of the service\n", machine(), "", *parts]), encoding="utf-8")
    print(f"Written to {OUT}")


def lookup(data: Path, folder: Path) -> str:
    """One account with its top 5 drivers by id, 20 accounts in turn."""
    file = current(data)
    with closing(sqlite3.connect(file)) as db:
        ids = [row[0] for row in db.execute("SELECT account_id FROM account LIMIT 20")]
    taken: dict[str, list[float]] = {"holdfast serve": [], "plain FastAPI": [], "mlflow models serve (no drivers)": []}
    cpu_ms = dict.fromkeys(taken, 0.0)
    with holdfast(data, folder) as ours, plain(file, folder) as theirs, mlflow(data, folder) as scoring:
        row = _mlflow_body(file)
        for number in range(ROUNDS):
            body = json.dumps({"account_ids": [ids[number % len(ids)]]}).encode()
            few = MLFLOW_ASKED // ROUNDS
            for name, server, *request, warm, asked in (
                ("holdfast serve", ours, "POST", "/api/score", body, 50, ASKED_A_ROUND),
                ("plain FastAPI", theirs, "POST", "/api/score", body, 50, ASKED_A_ROUND),
                ("mlflow models serve (no drivers)", scoring, "POST", "/invocations", row, 0, few),
            ):
                server.times(warm, *request)
                before = server.cpu_ms()
                taken[name] += server.times(asked, *request)
                cpu_ms[name] += server.cpu_ms() - before
    ours_mean = statistics.mean(taken["holdfast serve"])
    rows = [
        {"server": name, "requests": len(ms), "p50 ms": statistics.median(ms), "p99 ms": _p99(ms),
         "p99 / p50": _p99(ms) / statistics.median(ms), "throughput of ours / its": statistics.mean(ms) / ours_mean,
         "CPU ms a request": cpu_ms[name] / len(ms)}
        for name, ms in taken.items()
    ]  # fmt: skip
    return markdown("One account with its top 5 drivers by id", rows, "One connection, one request at a time.")


def live(data: Path, folder: Path) -> str:
    """Live scores with drivers of 1,000 accounts: over HTTP, in process, and by LightGBM's own contributions."""
    from params import load
    from serving.desk.following import Following

    params = load(overrides=[f"data_dir={data}"])
    following = Following(params)
    following.look()
    state = following.state
    assert state.published is not None
    assert state.scorer is not None
    frame = state.published.snapshot.reset_index(drop=True)
    frame = frame.iloc[[n % len(frame) for n in range(LIVE_ACCOUNTS)]].reset_index(drop=True)
    body = json.dumps({"accounts": [{"account_id": account} for account in frame["account_id"]]}).encode()
    taken: dict[str, list[float]] = {"over HTTP": [], "in process": [], "bare pred_contrib": []}
    with holdfast(data, folder) as ours:
        ours.times(1, "POST", "/api/live", body)
        for _ in range(LIVE_ROUNDS):
            taken["over HTTP"] += ours.times(1, "POST", "/api/live", body)
            taken["in process"].append(_milliseconds(lambda: state.scorer.score(frame)))  # type: ignore[union-attr]
            taken["bare pred_contrib"].append(_milliseconds(lambda: _bare(state.champion.model, frame)))  # type: ignore[union-attr]
    http_ms = statistics.median(taken["over HTTP"])
    rows = [
        {"way": name, "median s": statistics.median(ms) / 1000, "over HTTP / this": http_ms / statistics.median(ms)}
        for name, ms in taken.items()
    ]
    return markdown("Live score and drivers of 1,000 accounts", rows, f"{LIVE_ROUNDS} rounds in turn.")


def _bare(model: Any, frame: Any) -> None:
    """What LightGBM offers: contributions of every month ahead by `pred_contrib`, no simulation, no sentences."""
    from models.hazards.horizon import calendar

    ahead = calendar(frame, months=model.months, grace_days=model.settings.grace_days)[:, : model.horizon_months]
    rows = model._rows_ahead(frame, ahead)
    for outcome in ("churn", "expansion"):
        model.outcomes_[outcome].hazard.trees.booster_.predict(rows, pred_contrib=True, num_threads=2)


def current(data: Path) -> Path:
    return publication_file.newest(publication_file.folder_of(data))


@contextmanager
def holdfast(data: Path, folder: Path, csm: str = "") -> Iterator[Server]:
    """The service with one worker, asked by an admin, or by the CSM of a book."""
    port = _port()
    settings = (f"data_dir={data}", "serving.workers=1", "serving.requests_per_minute=10000000")
    options = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "holdfast", "serve", "--port", str(port), *options]
    tokens = Tokens(publication_file.folder_of(data))
    token, secret = tokens.issue("benchmark", "csm" if csm else "admin", csm=csm or None, days=1)
    try:
        yield from _served(command, port, "/readyz", folder / "holdfast.log", token=secret)
    finally:
        tokens.revoke(token.id)


@contextmanager
def plain(file: Path, folder: Path) -> Iterator[Server]:
    port = _port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.plain_app:app", "--port", str(port), "--no-access-log"]
    yield from _served(command, port, "/openapi.json", folder / "plain.log", HOLDFAST_BENCH_FILE=str(file))


@contextmanager
def mlflow(data: Path, folder: Path) -> Iterator[Server]:
    from params import load
    from training.tracking.champion import load_champion
    from training.tracking.model_card import model_card

    params = load(overrides=[f"data_dir={data}"])
    run_id = model_card(params, load_champion(params))["run_id"]
    model, port = folder / "model", _port()
    shutil.copytree(data / "mlflow-artifacts" / run_id / "artifacts" / "model", model)
    # Dates come as text over MLflow's protocol, so this copy of the model's script reads them.
    script, names = model / "pyfunc_model.py", "('as_of', 'term_ends_on')"
    dates = f"{{n: pd.to_datetime(model_input[n]) for n in {names}}}"
    read = f"self.model.predict(model_input.assign(**{dates}))"
    script.write_text(script.read_text().replace("self.model.predict(model_input)", read))
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    yield from _served(command, port, "/ping", folder / "mlflow.log")


def _served(command: list[str], port: int, ready: str, log: Path, **environment: str) -> Iterator[Server]:
    server = Server(command, port, ready, log, **environment)
    try:
        yield server
    finally:
        server.stop()


def _mlflow_body(file: Path) -> bytes:
    from serving.publication.reader import Published

    with Published(file) as published:
        frame = published.snapshot.head(1).reset_index(drop=True)
    return json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split", date_format="iso"))}).encode()


def _milliseconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _p99(ms: list[float]) -> float:
    return statistics.quantiles(ms, n=100)[98]


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def machine() -> str:
    """The machine, and how busy it was."""
    load = f"load {os.getloadavg()[0]:.1f} at the end"
    return f"{platform.machine()}, {os.cpu_count()} CPUs, {load}, Python {platform.python_version()}."


if __name__ == "__main__":
    main()
