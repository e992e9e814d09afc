"""An asyncio client for the ClickSend messaging API that never sends a message twice."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .bulk.batcher import Batching
    from .bulk.intake import Handle
    from .bulk.journal import Journal
    from .bulk.outcome import (
        Accepted,
        NotSent,
        Outcome,
        Rejected,
        Unknown,
    )
    from .bulk.reconcile import Reconcile
    from .bulk.report import Quote, Report, Statistics
    from .bulk.sender import BulkSender
    from .bulk.signals import stop_on_signals
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
else:

    def __getattr__(name: str) -> object:
        """Import a name when it is first asked for."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_LATER[name], __name__), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


_LATER = {
    "Accepted": ".bulk.outcome",
    "BadRequest": ".errors",
    "BasicAuth": ".config",
    "Batching": ".bulk.batcher",
    "BulkSender": ".bulk.sender",
    "ClickSend": ".client",
    "ClickSendError": ".errors",
    "ConfigurationError": ".errors",
    "Forbidden": ".errors",
    "Handle": ".bulk.intake",
    "HoldEvent": ".config",
    "Hooks": ".config",
    "Journal": ".bulk.journal",
    "MatonAuth": ".config",
    "MmsMessage": ".models.messages",
    "NotFound": ".errors",
    "NotSent": ".bulk.outcome",
    "NotSentError": ".errors",
    "Outcome": ".bulk.outcome",
    "Page": ".pages",
    "Pages": ".pages",
    "Quote": ".bulk.report",
    "RateLimit": ".config",
    "Reconcile": ".bulk.reconcile",
    "Rejected": ".bulk.outcome",
    "ReplyError": ".errors",
    "ReplyEvent": ".config",
    "Report": ".bulk.report",
    "RequestEvent": ".config",
    "Retry": ".config",
    "RetryEvent": ".config",
    "SendResult": ".models.results",
    "ServerError": ".errors",
    "SmsMessage": ".models.messages",
    "Statistics": ".bulk.report",
    "Timeout": ".config",
    "TooManyRequests": ".errors",
    "Unauthorized": ".errors",
    "Unknown": ".bulk.outcome",
    "UnknownOutcomeError": ".errors",
    "VoiceMessage": ".models.messages",
    "stop_on_signals": ".bulk.signals",
}
"""The public names and their modules, imported when first used: a shell waits for `--version`."""

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
