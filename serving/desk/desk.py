"""What one worker has at hand: settings, what it answers from, who may ask, and where that is written down."""

from params import Params
from serving.access.audit import Audit, Strangers
from serving.access.identity import Identity
from serving.access.limits import RateLimit
from serving.access.sessions import Sessions
from serving.access.tokens import Tokens
from serving.desk import metrics
from serving.desk.following import Following
from serving.publication import publication_file

FAILED_PER_MINUTE = 30
ANONYMOUS_SHARE = 0.1  # of the requests that who has signed in may make


class Desk:
    """Everything that requests share in a worker; made without touching any file."""

    def __init__(self, params: Params) -> None:
        folder, serving = publication_file.folder_of(params.data_dir), params.serving
        self.params = params
        self.following = Following(params, self.count)
        self.tokens = Tokens(folder)
        self.sessions = Sessions(folder, self.tokens)
        self.audit_required = serving.audit == "required"
        self.audit = Audit(folder, synced=self.audit_required)
        self.strangers = Strangers(self.audit)
        self.limit = RateLimit(serving.requests_per_minute)
        self.anonymous = RateLimit(serving.requests_per_minute * ANONYMOUS_SHARE)
        self.failed = RateLimit(FAILED_PER_MINUTE)
        self.identity = Identity(serving, self.tokens, self.sessions, self.failed)

    def count(self, what: str) -> None:
        """Count something that an operator should know of."""
        metrics.EVENTS.labels(what).inc()
        metrics.remember(self.following.state)
