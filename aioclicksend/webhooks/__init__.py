"""Pushes of ClickSend: receipts, replies, opt-outs; each stored before it is acknowledged."""

from .events import DeliveryReceipt, DeliveryState, Event, InboundMessage, WebhookError, dedupe_key
from .hook import Webhook
from .merge import Change, MessageDelivery, merge
from .parse import parse
from .sqlite import SqliteInbox
from .store import Arrival, Claimed, DeadLetter, Inbox, Ledger, Push
from .suppression import OptOutWords

__all__ = [
    "Arrival",
    "Change",
    "Claimed",
    "DeadLetter",
    "DeliveryReceipt",
    "DeliveryState",
    "Event",
    "InboundMessage",
    "Inbox",
    "Ledger",
    "MessageDelivery",
    "OptOutWords",
    "Push",
    "SqliteInbox",
    "Webhook",
    "WebhookError",
    "dedupe_key",
    "merge",
    "parse",
]
