"""Read a multipart form: what a browser or curl -F uploads."""

from __future__ import annotations

from email.message import Message
from typing import Any

from .replies import bad_request

TYPE = "multipart/form-data"


def parse(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields by name: texts, and for files `(name, type, content)`."""
    boundary = _header(content_type).get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise bad_request("The multipart body has no boundary.")
    fields: dict[str, Any] = {}
    # The first boundary has no line break before it.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        if part.startswith(b"--"):
            return fields
        head, separator, content = part.partition(b"\r\n\r\n")
        if not separator:
            break
        headers = dict(
            line.split(":", 1)
            for line in head.decode("utf-8", "replace").split("\r\n")
            if ":" in line
        )
        named = {name.strip().lower(): value.strip() for name, value in headers.items()}
        disposition = _header(named.get("content-disposition", ""))
        name, filename = (disposition.get_param(key) for key in ("name", "filename"))
        if isinstance(filename, str):
            fields[str(name)] = (filename, named.get("content-type", ""), content)
        else:
            fields[str(name)] = content.decode("utf-8", "replace")
    # Without the last boundary the end of the file is missing: refused, not kept short.
    raise bad_request("The multipart body is cut off.")


def _header(value: str) -> Message:
    # The standard library has no reader for the parameters of a header.
    message = Message()
    message["Content-Type"] = value
    return message
