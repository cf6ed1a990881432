"""What a worker answers from: it follows the champion alias and the newest publication, and swaps between requests.

A thread looks for both every few seconds, makes the new one ready beside the old one, and then exchanges them in one
step: a request that has begun goes on with what it began with. Whatever cannot be read is refused, and what was there
stays, unless that is what was damaged: then the last good publication is taken.
"""

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from models.reasons.background import background
from params import Params
from serving.forecast.account_reasons import expected_ways, explain, norms_of
from serving.forecast.live import Scorer, evenly, scorer
from serving.forecast.refusals import NoPublication
from serving.publication import publication_file
from serving.publication.reader import Published, open_newest
from serving.wire.answers import kind_and_place
from training.tracking.champion import Champion, champion_version, load_champion
from training.tracking.errors import NoModel

logger = logging.getLogger("holdfast.serving")
WARM_UP_ROWS = 2
VERIFY_SECONDS = 600.0  # a disk may change a file without anybody having written to it
NOT_READY = "The model could not be loaded or made ready; the server's log says where that failed. It is tried again."
# Collecting garbage among many long-lived objects is what makes the slowest answers slow.
GC_THRESHOLDS = (50_000, 50, 100)


Stamp = tuple[int, int, int, int] | None


@dataclass(frozen=True)
class State:
    """What is answered from, as of one moment; where there is no model, `no_model` says why and what to do."""

    published: Published | None = None
    champion: Champion | None = None
    scorer: Scorer | None = None
    no_model: str = "No model is loaded yet: try again soon."

    @property
    def ready(self) -> bool:
        """Whether there is a model to score with."""
        return self.champion is not None


class Following:
    """Keeps a `State` that follows the settings' data folder and registry.

    Parameters
    ----------
    params
        All settings.
    told
        Called with what happened: `champion`, `publication` (each swapped), `refused`, `unreachable`.
    """

    def __init__(self, params: Params, told: Callable[[str], None] = lambda what: None) -> None:
        self.params = params
        self.state = State()
        self._told = told
        self._folder: Path = publication_file.folder_of(params.data_dir)
        self._seen_publication: tuple[str, Stamp] = ("", None)
        self._verified: tuple[Stamp, float] = (None, 0.0)
        self._seen_champion = ""
        self._trouble: dict[str, str] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look once, so that a worker takes no request before it can answer, then follow in a thread of its own."""
        gc.set_threshold(*GC_THRESHOLDS)
        self.look()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def look(self) -> None:
        """Look once for a new publication and a new champion."""
        before = self.state
        self._try("publication", self._look_for_publication)
        self._try("champion", self._look_for_champion)
        if self.state is not before:
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _follow(self) -> None:
        while not self._stopped.wait(self.params.serving.poll_seconds):
            self.look()

    def _try(self, what: str, look: Callable[[], None]) -> None:
        """Keep what was there if looking fails; say so once."""
        try:
            look()
            self._trouble.pop(what, None)
        except NoPublication as error:
            self._complain(what, str(error))
        except NoModel as error:
            self._complain(what, str(error))
            self._miss_model(error.told)
        except Exception as error:  # the registry may fail in any way
            self._told("unreachable")
            self._complain(what, f"Looking for a new {what} failed: {kind_and_place(error)}")
            if what == "champion":
                self._miss_model(NOT_READY)

    def _complain(self, what: str, message: str) -> None:
        if self._trouble.get(what) != message:
            logger.warning("%s", message)
        self._trouble[what] = message

    def _miss_model(self, why: str) -> None:
        if self.state.no_model != why:
            self.state = replace(self.state, no_model=why)

    def _look_for_publication(self) -> None:
        name = publication_file.current_name(self._folder)
        seen = (name, publication_file.stamp(self._folder / name) if name else None)
        damaged = self._is_damaged()
        if self.state.published is not None and seen == self._seen_publication and not damaged:
            return
        if damaged or (name and seen != self._seen_publication and not publication_file.is_whole(self._folder / name)):
            self._told("refused")
            logger.error("The publication %s is damaged or half-written: it is refused", name)
        newest = self._newest(damaged)
        if self.state.published is None or newest.file != self.state.published.file:
            self._take(replace(self.state, published=newest))
            self._verified = (None, 0.0)  # once more, now that it is open
            self._told("publication")
            logger.info(
                "Answering from the publication as of %s, run %s", newest.about["as_of"], newest.about["run_id"]
            )
        self._seen_publication = seen

    def _is_damaged(self) -> bool:
        """Whether the open publication is no more what its name says: asked once it was touched, and now and then."""
        if self.state.published is None:
            return False
        file, (stamp, at) = self.state.published.file, self._verified
        now, touched = time.monotonic(), publication_file.stamp(file)
        if touched is None or (touched == stamp and now - at < VERIFY_SECONDS):  # removed: what is open stays whole
            return False
        self._verified = (touched, now)
        return not publication_file.is_whole(file)

    def _newest(self, damaged: bool) -> Published:
        """The newest whole publication; where there is none, nothing is answered from the one that is damaged."""
        try:
            return open_newest(self._folder)
        except NoPublication:
            if damaged:
                self.state = replace(self.state, published=None, scorer=None)
            raise

    def _look_for_champion(self) -> None:
        version = champion_version(self.params)
        if self.state.champion is not None and version in ("", self._seen_champion):
            return
        champion = load_champion(self.params)
        self._take(replace(self.state, champion=champion))
        self._seen_champion = version
        self._told("champion")
        logger.info("Scoring with model version %s", champion.version)

    def _take(self, state: State) -> None:
        """Make a state ready and put it in place."""
        if state.published is not None and state.champion is not None:
            state = replace(state, scorer=_ready(state.published, state.champion, self.params))
        self.state = state


def _ready(published: Published, champion: Champion, params: Params) -> Scorer:
    """A scorer that has scored once, so that the first request need not wait for compilation."""
    norms = published.norms
    comparison = background(champion.model.all_inputs, published.snapshot, published.earlier)
    if published.about["model_digest"] != champion.digest:
        sample = evenly(published.snapshot)
        norms = norms_of(champion.model, sample, explain(champion.model, sample), comparison, expected_ways(params))
    live_scorer = scorer(champion, params, norms, comparison)
    live_scorer.score(evenly(published.snapshot, WARM_UP_ROWS))
    return live_scorer
