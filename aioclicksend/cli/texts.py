"""One way to give a text to any command: `--text`, `--text -` for standard input, `--text-file`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import ConfigurationError
from ..files import open_regular

_BOM = "\ufeff"


def _no_option(_kind: object, value: str | None) -> None:
    if value is not None and value.startswith("-") and value != "-":
        raise ValueError(
            "unknown option; a text that begins with a hyphen comes from --text-file, or from "
            "standard input: --text -"
        )


Body = Annotated[
    str | None,
    Parameter(
        help="The text, in place of --text.", allow_leading_hyphen=True, validator=_no_option
    ),
]
Text = Annotated[
    str | None,
    Parameter(
        help="The text; - reads it from standard input.",
        allow_leading_hyphen=True,
        validator=_no_option,
    ),
]
TextFile = Annotated[Path | None, Parameter(help="A file with the text, in UTF-8.")]


def one_text(body: str | None, text: str | None, text_file: Path | None) -> str:
    """Return the text of a command that needs one.

    Raises:
        ValueError: it was given twice or not at all.
        ConfigurationError: the file cannot be read.

    """
    given = [it for it in (body, text, text_file) if it is not None]
    if len(given) != 1:
        raise ValueError("give the text once: with --text, --text - or --text-file")
    found = text_of(body if body is not None else text, text_file)
    return found or ""


def text_of(text: str | None, text_file: Path | None) -> str | None:
    """Return the text, read from where it was given; None if it was not.

    One line break at the end of a file or of standard input does not belong to the text.

    Raises:
        ValueError: it was given twice.
        ConfigurationError: the file cannot be read, or is not in UTF-8.

    """
    if text is not None and text_file is not None:
        raise ValueError("give one of --text and --text-file")
    if text_file is not None:
        return _clean(_read(text_file))
    # A text on the command line is taken as it stands: its quotes have decided where it ends.
    return _clean(sys.stdin.read()) if text == "-" else text


def _read(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return file.read().decode()
    except OSError as error:
        raise ConfigurationError(
            f"--text-file: {path.name} cannot be read: {error.strerror}"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"--text-file: {path.name} is not in UTF-8, see byte {error.start + 1}"
        ) from None


def _clean(text: str) -> str:
    return text.removeprefix(_BOM).removesuffix("\n").removesuffix("\r")
