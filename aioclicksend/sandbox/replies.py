"""What a handler may answer, and how the API wraps it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=UTF-8"
HTML_PAGE = b"<html><head><title>Oops</title></head><body><h1>Bad Gateway</h1></body></html>"


@dataclass(slots=True)
class Reply:
    """One HTTP reply, its content still open to faults."""

    status: int
    content: Any
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def encode(self) -> bytes:
        """Return the bytes of the body."""
        if isinstance(self.content, bytes):
            return self.content
        return json.dumps(self.content).encode()


class ApiError(Exception):
    """A refusal the API words in its envelope."""

    def __init__(
        self, status: int, response_code: str | int, response_msg: str, data: Any = None
    ) -> None:
        super().__init__(response_msg)
        self.status = status
        self.response_code = response_code
        self.data = data

    def reply(self) -> Reply:
        """Return the refusal as a reply."""
        return envelope(self.status, self.response_code, str(self), self.data)


class GatewayError(Exception):
    """A refusal by the gateway itself, which knows no envelope.

    The shape of the body is not documented; only the status is to be relied upon.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def reply(self) -> Reply:
        """Return the refusal as a reply."""
        return Reply(self.status, {"error": str(self)})


def envelope(status: int, response_code: str | int, response_msg: str, data: Any) -> Reply:
    """Wrap a payload the way every endpoint does."""
    return Reply(
        status,
        {
            "http_code": status,
            "response_code": response_code,
            "response_msg": response_msg,
            "data": data,
        },
    )


def too_many_requests() -> Reply:
    """Return the live wording of a 429. [live notes] github.com/prayantr/clicksend."""
    return envelope(429, "HTTP_TOO_MANY_REQUESTS", "Too many attempts.", None)


def html(status: int) -> Reply:
    """Return a page as a proxy in front of the API would."""
    return Reply(status, HTML_PAGE, HTML_TYPE)


def bad_request(message: str) -> ApiError:
    """Refuse a malformed request."""
    return ApiError(400, "BAD_REQUEST", message)


def not_found(message: str) -> ApiError:
    """Refuse a request for something that is not there."""
    return ApiError(404, "NOT_FOUND", message)


def invalid_endpoint() -> ApiError:
    """Refuse an unknown path, and a wrong method alike, as the live API does."""
    return not_found("Invalid endpoint. Please check the method and the path.")
