"""A plain FastAPI app that answers with an account's published score: what the service's lookup is held against.

It does the same lookup and gives the same bytes, with neither access control, audit, limits, metrics nor headers.
"""

import os
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response

from serving.publication.reader import Published
from serving.wire.schemas import ScoreRequest

app = FastAPI()
published = Published(Path(os.environ["HOLDFAST_BENCH_FILE"]))


@app.post("/api/score")
async def score(wanted: ScoreRequest) -> Response:
    found = [published.score(account, None) or b"null" for account in wanted.account_ids]
    return Response(published.head + b",".join(found) + b"]}", media_type="application/json")
