"""What tells sms, mms and voice apart: fields, checks and the shapes of their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import segments
from .calls import text
from .records import Record
from .state import SUBACCOUNT_ID, USER_ID, Channel

_COMMON = frozenset(
    [
        "to",
        "list_id",
        "body",
        "from",
        "source",
        "schedule",
        "custom_string",
        "country",
        "from_email",
    ]
)


@dataclass(frozen=True, slots=True)
class Kind:
    """The rules of one channel."""

    name: Channel
    top: frozenset[str]
    fields: frozenset[str]
    check: Callable[[Mapping[str, Any], Mapping[str, Any]], str | None]
    check_strictly: Callable[[Mapping[str, Any]], str | None]
    parts: Callable[[str], int]
    extras: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
    sent: Callable[[Record], dict[str, Any]]
    priced: Callable[[Record], dict[str, Any]]
    past: Callable[[Record], dict[str, Any]]
    shared_sender: bool


# SMS


def _sms_check(_message: Mapping[str, Any], _top: Mapping[str, Any]) -> str | None:
    return None


def _sms_extras(_message: Mapping[str, Any], _top: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _sms_sent(record: Record) -> dict[str, Any]:
    return {
        "direction": "out",
        "date": record["date"],
        "to": record["to"],
        "body": record["body"],
        "from": record["from"],
        "schedule": record["schedule"],
        "message_id": record["message_id"],
        "message_parts": record["message_parts"],
        "message_price": record["message_price"],
        "from_email": record["from_email"],
        "list_id": record["list_id"],
        "custom_string": record["custom_string"],
        "contact_id": record["contact_id"],
        "user_id": USER_ID,
        "subaccount_id": SUBACCOUNT_ID,
        "is_shared_system_number": record["is_shared_system_number"],
        "country": record["country"],
        "carrier": record["carrier"],
        "status": "SUCCESS",
    }


def _sms_priced(record: Record) -> dict[str, Any]:
    row = _sms_sent(record)
    for key in ("direction", "user_id", "subaccount_id", "from_email", "list_id"):
        del row[key]
    if row["contact_id"] is None:
        del row["contact_id"]
    # [docs] ClickSend API v3: here, and only here, both times are text.
    row["date"] = str(row["date"])
    row["schedule"] = str(row["schedule"])
    return row


def _past(record: Record) -> dict[str, Any]:
    return {
        "direction": record["direction"],
        "date": record["date"],
        "to": record["to"],
        "body": record["body"],
        "status": record["status"],
        "from": record["from"],
        "schedule": str(record["schedule"]),
        "status_code": record["status_code"],
        "status_text": record["status_text"],
        "error_code": record["error_code"],
        "error_text": record["error_text"],
        "message_id": record["message_id"],
        "message_parts": record["message_parts"],
        "message_price": record["message_price"],
        "from_email": record["from_email"],
        "list_id": record["list_id"],
        "custom_string": record["custom_string"],
        "contact_id": record["contact_id"],
        "user_id": USER_ID,
        "subaccount_id": SUBACCOUNT_ID,
        "country": record["country"],
        "carrier": record["carrier"],
        "first_name": None,
        "last_name": None,
        "_api_username": record.get("username", ""),
    }


# MMS

_SUBJECT_LENGTH = 20


def _mms_media(message: Mapping[str, Any], top: Mapping[str, Any]) -> str:
    # [docs] ClickSend API v3 puts the file beside `messages`; other sources inside each message.
    return text(top, "media_file") or text(message, "media_file")


def _mms_check(message: Mapping[str, Any], top: Mapping[str, Any]) -> str | None:
    if not text(message, "subject"):
        return "SUBJECT_REQUIRED"
    if not _mms_media(message, top).startswith(("http://", "https://")):
        return "INVALID_MEDIA_FILE"
    return None


def _mms_extras(message: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "subject": text(message, "subject")[:_SUBJECT_LENGTH],
        "_media_file_url": _mms_media(message, top),
    }


def _mms_sent(record: Record) -> dict[str, Any]:
    return {
        "list_id": record["list_id"],
        "contact_id": None if record["contact_id"] is None else int(record["contact_id"]),
        "message_id": record["message_id"],
        "to": record["to"],
        "subject": record["subject"],
        "from": record["from"],
        "body": record["body"],
        "country": record["country"],
        "custom_string": record["custom_string"],
        "schedule": str(record["schedule"]) if record["schedule"] > record["date"] else "",
        "message_parts": record["message_parts"],
        "message_price": record["message_price"],
        "_media_file_url": record["_media_file_url"],
        "status": "SUCCESS",
    }


def _mms_past(record: Record) -> dict[str, Any]:
    row = _past(record)
    # [docs] ClickSend API v3: history counts parts as text, and dates are text as well.
    row["message_parts"] = f"{record['message_parts']}.00"
    row["date"] = str(record["date"])
    row["contact_id"] = None if record["contact_id"] is None else int(record["contact_id"])
    row["subject"] = record["subject"]
    row["_media_file_url"] = record["_media_file_url"]
    row["date_added"] = record["date"]
    row["priority"] = 1
    row["first_name"] = row["last_name"] = ""
    return row


# Voice

_BOTH = (
    "en-us en-au en-gb en-gb-wls cy-gb-wls de-de es-es es-us fr-fr is-is it-it da-dk nl-nl pl-pl "
    "pt-br ru-ru"
)
_DEFAULT_LANG = "en-us"
_FEMALE_ONLY = "en-in fr-ca nb-no ro-ro sv-se tr-tr"

LANGUAGES: dict[str, list[str]] = {
    **{code: ["female", "male"] for code in _BOTH.split()},
    **{code: ["female"] for code in _FEMALE_ONLY.split()},
    "pt-pt": ["male"],
}


def _voice_check(message: Mapping[str, Any], _top: Mapping[str, Any]) -> str | None:
    lang, voice = _spoken(message)
    if lang not in LANGUAGES:
        return "INVALID_LANG"
    # [docs] ClickSend API v3: in lower case.
    return None if voice in LANGUAGES[lang] else "INVALID_VOICE"


def _spoken(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return language and voice, where nothing is said the first that fits."""
    lang = text(message, "lang").lower() or _DEFAULT_LANG
    return lang, text(message, "voice") or LANGUAGES.get(lang, ["female"])[0]


def _voice_check_strictly(message: Mapping[str, Any]) -> str | None:
    # [docs] ClickSend API v3: required by the description, optional by the models of its SDKs.
    if not text(message, "lang"):
        return "INVALID_LANG"
    return None if text(message, "voice") else "INVALID_VOICE"


def _flag(message: Mapping[str, Any], name: str) -> int:
    return 1 if text(message, name) in {"1", "true"} else 0


def _voice_extras(message: Mapping[str, Any], _top: Mapping[str, Any]) -> dict[str, Any]:
    lang, voice = _spoken(message)
    return {
        "lang": lang,
        "voice": voice,
        "require_input": _flag(message, "require_input"),
        "machine_detection": _flag(message, "machine_detection"),
    }


def _voice_row(record: Record, status: str) -> dict[str, Any]:
    return {
        "date": str(record["date"]),
        "date_added": record["date"],
        "list_id": record["list_id"],
        "to": record["to"],
        "to_type": "mobile",
        "body": record["body"],
        "from": record["from"],
        "lang": record["lang"],
        "voice": record["voice"],
        "schedule": record["schedule"],
        "message_id": record["message_id"],
        "message_parts": record["message_parts"],
        "message_price": record["message_price"],
        "custom_string": record["custom_string"],
        "user_id": USER_ID,
        "subaccount_id": SUBACCOUNT_ID,
        "country": record["country"],
        "require_input": record["require_input"],
        "machine_detection": record["machine_detection"],
        "machine_detected": None,
        "digits": None,
        "carrier": record["carrier"],
        "status_code": record["status_code"],
        "status_text": record["status_text"],
        "status": status,
        "_api_username": record["username"],
    }


def _voice_sent(record: Record) -> dict[str, Any]:
    return _voice_row(record, "SUCCESS")


def _voice_past(record: Record) -> dict[str, Any]:
    return _voice_row(record, record["status"])


def _one(_body: str) -> int:
    return 1


def _nothing_more(_message: Mapping[str, Any]) -> str | None:
    return None


SMS = Kind(
    name="sms",
    top=frozenset(
        ["messages", "senders", "shorten_urls", "exclude_no_sender_id_recipients", "show_summary"]
    ),
    fields=_COMMON | {"contact_id", "exclude_no_sender_id_recipients", "show_summary"},
    check=_sms_check,
    check_strictly=_nothing_more,
    parts=segments.count_parts,
    extras=_sms_extras,
    sent=_sms_sent,
    priced=_sms_priced,
    past=_past,
    shared_sender=True,
)
MMS = Kind(
    name="mms",
    top=frozenset({"messages", "media_file"}),
    fields=_COMMON | {"subject", "media_file"},
    check=_mms_check,
    check_strictly=_nothing_more,
    parts=_one,
    extras=_mms_extras,
    sent=_mms_sent,
    priced=_mms_sent,
    past=_mms_past,
    shared_sender=True,
)
VOICE = Kind(
    name="voice",
    top=frozenset({"messages"}),
    fields=_COMMON | {"voice", "lang", "require_input", "machine_detection"},
    check=_voice_check,
    check_strictly=_voice_check_strictly,
    parts=segments.count_speech_parts,
    extras=_voice_extras,
    sent=_voice_sent,
    priced=_voice_sent,
    past=_voice_past,
    shared_sender=False,
)
