"""The bento is built, and answers, in a network namespace of its own: cut off from every network."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.access.tokens import Tokens
from serving.publication import publication_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
CUT_OFF = ("unshare", "--net", "--map-root-user")
# Loopback is down in a new namespace; 0x8914 sets an interface's flags, 0x49 is up, loopback, running.
ASK = """
import fcntl, http.client, json, os, signal, socket, struct, subprocess, sys, time
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x49))
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    outside = type(error).__name__
TOKEN = f"Bearer {sys.argv[1]}"
command = [sys.executable, "-m", "bentoml", "serve", "holdfast:latest", "--host", "127.0.0.1", "--port", "3000"]
server = subprocess.Popen(command, stdout=sys.stderr)

def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", 3000, timeout=120)
    try:
        connection.request(method, path, body, {"content-type": "application/json", "authorization": TOKEN})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()

while ask("GET", "/readyz")[0] != 200 and server.poll() is None:
    time.sleep(0.5)
asked = [ask("POST", "/api/score", json.dumps({"account_ids": ["a02"]})), ask("GET", "/"),
         ask("POST", "/api/live", json.dumps({"accounts": [{"account_id": "a02"}]}))]
server.send_signal(signal.SIGTERM)
print(json.dumps({"outside": outside, "statuses": [status for status, _ in asked], "ended": server.wait(60)}))
"""


def can_be_cut_off() -> bool:
    return subprocess.run([*CUT_OFF, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_be_cut_off(), reason="this machine lets nobody make a network namespace")
def test_the_bento_is_built_and_answers_without_a_network(place: Any, tmp_path: Path) -> None:
    settings = "\n".join([f"data_dir={place.params.data_dir}", "model.horizon_months=6", "backtest.horizons=[3, 6]"])
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path), "HOLDFAST_SET": settings}
    build = [*CUT_OFF, sys.executable, "-m", "bentoml", "build"]
    built = subprocess.run(build, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-2000:]
    _, token = Tokens(publication_file.folder_of(place.params.data_dir)).issue("bento", "admin")
    run = [*CUT_OFF, sys.executable, "-c", ASK, token]
    found = subprocess.run(run, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400)
    assert found.returncode == 0, found.stderr[-2000:]
    said = json.loads(found.stdout.splitlines()[-1])
    assert said == {"outside": "OSError", "statuses": [200, 200, 200], "ended": 0}
