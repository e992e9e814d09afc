"""Maton's connections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .base import Model


class Connection(Model):
    """A ClickSend account connected to Maton."""

    connection_id: str | None = None
    status: str | None = None
    """``ACTIVE``, ``PENDING`` or ``FAILED``."""
    url: str | None = None
    """Where a person finishes signing in; it is a secret while the connection is pending."""
    app: str | None = None
    method: str | None = None
    creation_time: datetime | None = None
    last_updated_time: datetime | None = None
    metadata: Any = None
