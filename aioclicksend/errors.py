"""Everything this package raises.

    ClickSendError
    ├── ConfigurationError            nothing was sent
    │   └── CampaignError             the same, because of a list, a text or an option of a campaign
    ├── NotSentError                  provably nothing reached the server
    ├── UnknownOutcomeError           bytes left, no readable verdict (.refs)
    └── ReplyError                    the server refused (.status .response_code .response_msg)
        ├── BadRequest                400
        ├── Unauthorized              401
        ├── Forbidden                 403
        ├── NotFound                  404
        ├── TooManyRequests           429 (.retry_after); also a NotSentError
        └── ServerError               5xx, on a call that was safe to repeat

The class says what is known about the fate of the call, never how it broke: a timeout can be either
of the two in the middle. The text of an error holds no credential, phone number or message body,
and no free text of the server, which could repeat one; that is in `ReplyError.response_msg` and
`.raw` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .printable import printable


class ClickSendError(Exception):
    """The base of all errors of this package."""

    def __str__(self) -> str:
        """Return one printable line: the name of a file could hold anything."""
        return printable(super().__str__())


class ClientClosedError(RuntimeError):
    """The client was closed before the call: as any misuse a RuntimeError; nothing was sent."""


class ConfigurationError(ClickSendError):
    """The client cannot work as it was set up; nothing was sent."""


class CampaignError(ConfigurationError, ValueError):
    """The input, the text or an option of a campaign is wrong; nothing was sent.

    Its text is one line: what is wrong, where, and what to do. It names rows and columns, never a
    number or a text of a row.
    """


class NotSentError(ClickSendError):
    """Provably nothing was taken by the server: repeating the call is safe."""


class UnknownOutcomeError(ClickSendError):
    """Bytes left and no readable verdict came back: the server may or may not have acted.

    `refs` are the `custom_string`s of the messages in doubt; look them up with `client.sms.find`.
    """

    def __init__(self, text: str, *, refs: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.refs: tuple[str, ...] = tuple(refs)


class ReplyError(ClickSendError):
    """The server refused the call."""

    meaning: ClassVar[str] = "the server refused the call"
    """What the status says, in our words."""

    # With defaults, as copying and unpickling begin with the text alone.
    def __init__(
        self,
        text: str,
        *,
        operation: str = "",
        status: int = 0,
        response_code: str = "",
        response_msg: str = "",
        raw: object = None,
    ) -> None:
        super().__init__(text)
        self.operation = operation
        """Method and path template, e.g. ``POST /v3/sms/send``."""
        self.status = status
        """The HTTP status."""
        self.response_code = response_code
        """The API's code for it, e.g. ``BAD_REQUEST``, at most 64 characters; an open set."""
        self.response_msg = response_msg
        """Free text of the server, whose wording changes: never match on it."""
        self.raw = raw
        """The decoded body of the reply, or its text where it was no JSON."""


class BadRequest(ReplyError):
    """400: a field is wrong or missing."""

    meaning = "a field is wrong or missing"


class Unauthorized(ReplyError):
    """401: the credentials are wrong."""

    meaning = "the credentials are wrong"


class Forbidden(ReplyError):
    """403: the account may not do this."""

    meaning = "the account may not do this"


class NotFound(ReplyError):
    """404: no such thing, or its state does not allow this."""

    meaning = "no such thing, or its state does not allow this"


class TooManyRequests(ReplyError, NotSentError):
    """429: refused unread; the client had waited and tried again as often as its policy allows."""

    meaning = "asked too often; nothing was done"

    retry_after: float | None = None
    """Seconds the server asked to wait, if it did."""


class ServerError(ReplyError):
    """5xx on a call that is safe to repeat, after all retries."""

    meaning = "the server failed, after all retries"


_BY_STATUS: dict[int, type[ReplyError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    429: TooManyRequests,
}


def reply_error_class(status: int) -> type[ReplyError]:
    """Return the class that stands for an HTTP status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else ReplyError)
