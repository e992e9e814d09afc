"""An asyncio client for the ClickSend messaging API that never sends a message twice."""

from .bulk.batcher import Batching
from .bulk.intake import Handle
from .bulk.journal import Journal
from .bulk.outcome import (
    Accepted,
    NotSent,
    Outcome,
    Quote,
    Rejected,
    Report,
    Statistics,
    Unknown,
)
from .bulk.reconcile import Reconcile
from .bulk.sender import BulkSender, stop_on_signals
from .client import ClickSend
from .config import (
    BasicAuth,
    HoldEvent,
    Hooks,
    MatonAuth,
    RateLimit,
    ReplyEvent,
    RequestEvent,
    Retry,
    RetryEvent,
    Timeout,
)
from .errors import (
    BadRequest,
    ClickSendError,
    ConfigurationError,
    Forbidden,
    NotFound,
    NotSentError,
    ReplyError,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnknownOutcomeError,
)
from .models.messages import MmsMessage, SmsMessage, VoiceMessage
from .models.results import SendResult
from .pages import Page, Pages
from .version import __version__

__all__ = [
    "Accepted",
    "BadRequest",
    "BasicAuth",
    "Batching",
    "BulkSender",
    "ClickSend",
    "ClickSendError",
    "ConfigurationError",
    "Forbidden",
    "Handle",
    "HoldEvent",
    "Hooks",
    "Journal",
    "MatonAuth",
    "MmsMessage",
    "NotFound",
    "NotSent",
    "NotSentError",
    "Outcome",
    "Page",
    "Pages",
    "Quote",
    "RateLimit",
    "Reconcile",
    "Rejected",
    "ReplyError",
    "ReplyEvent",
    "Report",
    "RequestEvent",
    "Retry",
    "RetryEvent",
    "SendResult",
    "ServerError",
    "SmsMessage",
    "Statistics",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "Unknown",
    "UnknownOutcomeError",
    "VoiceMessage",
    "__version__",
    "stop_on_signals",
]
