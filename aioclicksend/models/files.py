"""Files: what was uploaded, and exports that can be downloaded."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from .base import Model


class Upload(Model):
    """A file that was uploaded and converted. Use it at once: it lives ten minutes."""

    upload_id: int | None = None
    user_id: int | None = None
    file_name: str | None = None
    url: str | None = field(name="_url", default=None)
    """Where it can be read, for ``media_file`` and ``file_url``."""
    date_added: datetime | None = None
    # A week ahead, though the text beside it says ten minutes: trust neither.
    date_delete: datetime | None = None


class Export(Model):
    """A file made of a history."""

    url: str | None = None
    """Where it can be read, at ClickSend or at its storage; see `client.download`."""
