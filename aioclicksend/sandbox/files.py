"""Files: uploads, exports, and how they are fetched without a login."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

from .calls import Call, need, text
from .replies import Reply, bad_request, invalid_endpoint
from .state import USER_ID, File, State

PREFIX = "/files/"
#: Under this, any name is the same small file: examples need addresses that lead nowhere else.
EXAMPLES = f"{PREFIX}example/"
_EXAMPLE = File("example.csv", b"column\r\nvalue\r\n", "text/csv")
# Nothing is converted: the content comes back as it was sent, under the type it would have had.
_CONVERTED = {
    "fax": ("pdf", "application/pdf"),
    "mms": ("jpg", "image/jpeg"),
    "csv": ("csv", "text/csv"),
    "post": ("pdf", "application/pdf"),
    "postcard": ("pdf", "application/pdf"),
}
_WEEK = 7 * 86_400
MOST_ROWS = 50_000
# [docs] help.clicksend.com, exports.
_BODY_LENGTH = 160


def save(call: Call, name: str, content: bytes, content_type: str) -> str:
    """Keep a file and return the address it is served at."""
    key = f"{secrets.token_hex(16)}/{name}"
    call.state.keep_file(key, File(name, content, content_type))
    return f"{call.base}{PREFIX}{quote(key)}"


def find(state: State, url: str) -> File | None:
    """Return the file at an address, or at a path of the sandbox."""
    path = urlsplit(url).path
    if path.startswith(EXAMPLES):
        return _EXAMPLE
    return state.files.get(unquote(path.removeprefix(PREFIX))) if PREFIX in path else None


def serve(state: State, method: str, path: str) -> Reply:
    """Answer a request for a file; its address is all that is needed."""
    found = find(state, path)
    if found is None or method not in {"GET", "HEAD"}:
        raise invalid_endpoint()
    # An application may upload any page, and a browser would run it as this sandbox's own.
    headers = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
    return Reply(200, found.content, found.content_type, headers)


def decode(value: str, name: str) -> bytes:
    """Read base64."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise bad_request(f"The {name} field is not base64.") from None


def upload(call: Call) -> dict[str, Any]:
    """Keep a file for a week; the documentation speaks of ten minutes too.

    [docs] ClickSend API v3: base64 in JSON or, in older documentation, a form with a `file`.
    """
    fields = call.fields({"content", "convert", "file"})
    content = _uploaded(fields)
    wanted = call.query.get("convert") or text(fields, "convert")
    # The description demands it, and its own example has none.
    if wanted not in _CONVERTED and (wanted or call.state.settings.strict):
        raise bad_request("The convert parameter must be fax, mms, csv, post or postcard.")
    suffix, content_type = _CONVERTED.get(wanted, ("bin", "application/octet-stream"))
    upload_id = call.state.serial()
    name = f"upload-{upload_id}.{suffix}"
    now = call.state.now()
    return {
        "upload_id": upload_id,
        "user_id": USER_ID,
        "file_name": name,
        "_url": save(call, name, content, content_type),
        "date_added": now,
        "date_delete": now + _WEEK,
    }


def _uploaded(fields: Mapping[str, Any]) -> bytes:
    file = fields.get("file")
    if isinstance(file, tuple):
        return bytes(cast("tuple[str, str, bytes]", file)[2])
    need(fields, "content")
    return decode(text(fields, "content"), "content")


def save_table(call: Call, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Keep rows as a CSV under the name asked for and return its address."""
    rows = rows[:MOST_ROWS]
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        for row in rows:
            cut = str(row.get("body", ""))[:_BODY_LENGTH]
            writer.writerow({**row, "body": cut} if "body" in row else row)
    name = call.query.get("filename", "export.csv").replace("/", "_") or "export.csv"
    return {"url": save(call, name, out.getvalue().encode(), "text/csv")}
