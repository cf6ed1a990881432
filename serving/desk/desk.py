"""What one worker has at hand: settings, what it answers from, who may ask, and where that is written down."""

from params import Params
from serving.access.audit import Audit
from serving.access.limits import RateLimit
from serving.access.tokens import Tokens
from serving.desk import metrics
from serving.desk.following import Following
from serving.publication import publication_file

FAILED_PER_MINUTE = 30


class Desk:
    """Everything that requests share in a worker; made without touching any file."""

    def __init__(self, params: Params) -> None:
        folder = publication_file.folder_of(params.data_dir)
        self.params = params
        self.following = Following(params, self._told)
        self.tokens = Tokens(folder)
        self.audit = Audit(folder)
        self.limit = RateLimit(params.serving.requests_per_minute)
        self.failed = RateLimit(FAILED_PER_MINUTE)

    def _told(self, what: str) -> None:
        metrics.EVENTS.labels(what).inc()
        metrics.remember(self.following.state)
