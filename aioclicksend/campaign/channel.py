"""What a campaign sends: SMS, MMS or calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct

from ..client import ClickSend
from ..models.messages import MmsMessage, SmsMessage, VoiceMessage
from ..text import MAX_PARTS, Segments, segments

_MMS = (1500, 500)
_VOICE = (300, 150)
"""Characters in GSM-7 and in Unicode: of an MMS, and of a part of a call (FACTS of the API)."""
_VOICE_PARTS = 4
_SUBJECT = 20


class Sms(Struct, frozen=True, kw_only=True):
    """SMS."""

    name: ClassVar[str] = "sms"

    def message(
        self, to: str, body: str, sender: str | None, schedule: datetime | None
    ) -> SmsMessage:
        """Return a message."""
        return SmsMessage(to=to, body=body, from_=sender, schedule=schedule)

    def measure(self, body: str) -> Segments:
        """Return the parts of a text."""
        return segments(body)

    def excess(self, counted: Segments) -> str:
        """Return a clause that says why a text is too long; empty if it is not."""
        if counted.parts <= MAX_PARTS:
            return ""
        return f"its text needs {counted.parts} parts, of which {MAX_PARTS} would be sent"

    def group(self, client: ClickSend) -> Any:
        """Return the operations of a client for this channel."""
        return client.sms


class Mms(Struct, frozen=True, kw_only=True):
    """MMS: a picture and a text."""

    name: ClassVar[str] = "mms"
    media: str
    """Address of a jpg or gif of up to 250 kB."""
    subject: str

    def __post_init__(self) -> None:
        if not self.subject or len(self.subject) > _SUBJECT:
            raise ValueError(f"--subject: an MMS needs one of up to {_SUBJECT} characters")
        if not self.media.startswith(("https://", "http://")):
            raise ValueError("--media: must be the http(s) address of a picture")

    def message(
        self, to: str, body: str, sender: str | None, schedule: datetime | None
    ) -> MmsMessage:
        """Return a message."""
        return MmsMessage(
            to=to,
            body=body,
            from_=sender,
            schedule=schedule,
            subject=self.subject,
            media_file=self.media,
        )

    def measure(self, body: str) -> Segments:
        """Return the text as one part, or as two if it does not fit."""
        return _measured(body, _MMS)

    def excess(self, counted: Segments) -> str:
        """Return a clause that says why a text is too long; empty if it is not."""
        limit = _MMS[counted.encoding == "UCS-2"]
        return f"its text has {counted.units} characters of {limit}" if counted.parts > 1 else ""

    def group(self, client: ClickSend) -> Any:
        """Return the operations of a client for this channel."""
        return client.mms


class Voice(Struct, frozen=True, kw_only=True):
    """Calls in which a text is read out."""

    name: ClassVar[str] = "voice"
    voice: str = "female"
    lang: str = "en-us"

    def message(
        self, to: str, body: str, sender: str | None, schedule: datetime | None
    ) -> VoiceMessage:
        """Return a call."""
        return VoiceMessage(
            to=to, body=body, from_=sender, schedule=schedule, voice=self.voice, lang=self.lang
        )

    def measure(self, body: str) -> Segments:
        """Return the parts of a text."""
        return _measured(body, _VOICE)

    def excess(self, counted: Segments) -> str:
        """Return a clause that says why a text is too long; empty if it is not."""
        if counted.parts <= _VOICE_PARTS:
            return ""
        return f"its text needs {counted.parts} parts, of which {_VOICE_PARTS} would be read out"

    def group(self, client: ClickSend) -> Any:
        """Return the operations of a client for this channel."""
        return client.voice


Channel = Sms | Mms | Voice


def _measured(body: str, sizes: tuple[int, int]) -> Segments:
    """Return a text in parts of a number of characters."""
    text = segments(body)
    size = sizes[text.encoding == "UCS-2"]
    parts = -(-len(body) // size)
    return text._replace(
        units=len(body),
        parts=parts,
        left=parts * size - len(body),
        gsm_parts=-(-len(body) // sizes[0]),
    )
