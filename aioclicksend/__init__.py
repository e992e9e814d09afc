"""An asyncio client for the ClickSend messaging API that never sends a message twice."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .printable import guard_log as _guard_log
from .version import __version__

_guard_log()

if TYPE_CHECKING:
    from .bulk.dispatch import Suppression
    from .bulk.intake import Batching, Handle
    from .bulk.journal import JournalProtocol
    from .bulk.journal.sqlite import Journal
    from .bulk.outcome import (
        Accepted,
        NotSent,
        Outcome,
        Quote,
        Reason,
        Rejected,
        Report,
        Statistics,
        Unknown,
    )
    from .bulk.reconcile import Reconcile
    from .bulk.sender import BulkSender
    from .bulk.signals import stop_on_signals
    from .client import ClickSend
    from .config import BasicAuth, Limits, MatonAuth, RateLimit, Retry, Timeout
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
    from .hooks import (
        BatchEvent,
        EndEvent,
        HoldEvent,
        Hooks,
        ReplyEvent,
        RequestEvent,
        RetryEvent,
    )
    from .models.messages import MmsMessage, SmsMessage, VoiceMessage
    from .models.results import SendResult
    from .pacing import Pace
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
    "BatchEvent": ".hooks",
    "Batching": ".bulk.intake",
    "BulkSender": ".bulk.sender",
    "ClickSend": ".client",
    "ClickSendError": ".errors",
    "ConfigurationError": ".errors",
    "EndEvent": ".hooks",
    "Forbidden": ".errors",
    "Handle": ".bulk.intake",
    "HoldEvent": ".hooks",
    "Hooks": ".hooks",
    "Journal": ".bulk.journal.sqlite",
    "JournalProtocol": ".bulk.journal",
    "Limits": ".config",
    "MatonAuth": ".config",
    "MmsMessage": ".models.messages",
    "NotFound": ".errors",
    "NotSent": ".bulk.outcome",
    "NotSentError": ".errors",
    "Outcome": ".bulk.outcome",
    "Pace": ".pacing",
    "Page": ".pages",
    "Pages": ".pages",
    "Quote": ".bulk.outcome",
    "RateLimit": ".config",
    "Reason": ".bulk.outcome",
    "Reconcile": ".bulk.reconcile",
    "Rejected": ".bulk.outcome",
    "ReplyError": ".errors",
    "ReplyEvent": ".hooks",
    "Report": ".bulk.outcome",
    "RequestEvent": ".hooks",
    "Retry": ".config",
    "RetryEvent": ".hooks",
    "SendResult": ".models.results",
    "ServerError": ".errors",
    "SmsMessage": ".models.messages",
    "Statistics": ".bulk.outcome",
    "Suppression": ".bulk.dispatch",
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
    "BatchEvent",
    "Batching",
    "BulkSender",
    "ClickSend",
    "ClickSendError",
    "ConfigurationError",
    "EndEvent",
    "Forbidden",
    "Handle",
    "HoldEvent",
    "Hooks",
    "Journal",
    "JournalProtocol",
    "Limits",
    "MatonAuth",
    "MmsMessage",
    "NotFound",
    "NotSent",
    "NotSentError",
    "Outcome",
    "Pace",
    "Page",
    "Pages",
    "Quote",
    "RateLimit",
    "Reason",
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
    "Suppression",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "Unknown",
    "UnknownOutcomeError",
    "VoiceMessage",
    "__version__",
    "stop_on_signals",
]
