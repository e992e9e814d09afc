# ruff: noqa: RUF001 - letters and signs of all scripts are what this is about
"""Which encoding a text file is in, where that can be known.

UTF-8 proves itself: other texts are hardly ever valid in it. The code pages do not, since each
makes letters of all bytes. So a file in one of them is read as Windows-1252, with a note, only if
each of its words makes sense so and none of the other pages makes other sensible words of them.
Else nothing decides between two readings, and the caller is asked.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

_CHUNK = 1 << 20
_MOST_WORDS = 20_000
_LONGEST_WORD = 40
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_words = re.compile(rb"[0-9A-Za-z'\x80-\xff]+").findall
_shifts = re.compile(rb"\x1b(?:\$[@AB()]|\([BJI])")
_undecoded = re.compile("[\udc80-\udcff]").findall
_by_chance = re.compile(
    "[\udc80-\udcff](?=[\u0080-\u1fff])|[A-Za-z](?=[\u0250-\u1fff])|[\u0250-\u1fff](?=[A-Za-z])"
).findall
_beyond_ascii = re.compile("[^\x00-\x7f\udc80-\udcff]").findall

_SIGNS = frozenset("\u00a0€£§©®°´·‚„…‘’“”•–—™‹›«»¡¿ºª²³½¼¾×")
"""Signs in cells of all pages, beside letters."""
_WESTERN = "àáâãäåæçèéêëìíîïñòóôõöøœšßùúûüýžÿðþ"
_CENTRAL = "áâăäąćčçďđéęëěíîłńňóôőöřśšşťţúůűüýźżžß"
_BALTIC = "āčēģīķļņšūžąįäöüõéåæ"
_TURKISH = "âçğıîöşûüİ"
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяёєіїґўјљњћџђ"
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"
_PAGES = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "cp1251": _CYRILLIC,
    "cp1253": _GREEK,
    "cp1254": _TURKISH,
    "cp1257": _BALTIC,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "koi8_r": _CYRILLIC,
    "cp866": _CYRILLIC,
}
_EAST_ASIAN = ("shift_jis", "gbk", "big5", "euc_kr")
_LETTERS = {page: frozenset(letters + letters.upper()) for page, letters in _PAGES.items()}
_ALONE = frozenset("àáâãåèéêíîòóôõöøúùýñçÀÁÂÅÈÉÍÎÓÔÖÚиаовскуяéυ" + "ИАОВСКУЯη")
"""Letters that are words."""
_ENOUGH = 0.9
"""The part of words that must make sense in another page for it to be a rival."""


class Encoding(NamedTuple):
    """How the bytes of a file become text."""

    name: str
    errors: str = "strict"
    note: str = ""
    """What was guessed."""


class Unclear(ValueError):
    """Nothing decides between encodings; the text is a clause that names them."""


def by_first_bytes(head: bytes) -> Encoding | None:
    """Return the encoding that the first bytes of a file show, if they do."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return Encoding(name)
    half = len(head) // 2
    # In UTF-16 every other byte of Western text is zero.
    if head[1::2].count(0) > half * 0.6 and not head[::2].count(0):
        return Encoding("utf-16-le")
    if head[::2].count(0) > half * 0.6 and not head[1::2].count(0):
        return Encoding("utf-16-be")
    return None


def check_shifts(head: bytes) -> None:
    """Make sure that a file is not in an encoding that writes all letters in ASCII.

    Raises:
        Unclear: escape sequences in it say that it is.

    """
    # They are control characters, and would go out as texts such as "$BEDCf(B" without them.
    if _shifts.search(head):
        raise Unclear("its escape sequences say that it may be iso2022_jp, iso2022_kr")


def of_eight_bits(file: BinaryIO) -> Encoding:
    """Return the encoding of a file that is not valid in UTF-8.

    Raises:
        Unclear: it could be in several.

    """
    valid, damaged = _counted(file)
    if valid >= damaged:
        return Encoding("utf-8", "surrogateescape", "not valid in some rows, which are left out")
    # By words, as letters alone prove nothing: byte E9 is a common one in four of the pages.
    file.seek(0)
    words = _words_beyond_ascii(file)
    rivals = [page for page in _PAGES if page != "cp1252" and _is_rival(words, page)]
    rivals += [page for page in _EAST_ASIAN if _is_east_asian(words, page)]
    if rivals or not all(_makes_sense(word, "cp1252") for word in words):
        western = all(_makes_sense(word, "cp1252") for word in words)
        possible = (["cp1252"] if western else []) + rivals
        named = ", ".join(possible) or "cp1252, mac_roman, cp850, cp1250, shift_jis"
        raise Unclear(f"its encoding cannot be known: it may be {named}")
    return Encoding("cp1252", note="guessed: check the names")


def _counted(file: BinaryIO) -> tuple[int, int]:
    """Return how many characters beyond ASCII are valid UTF-8, and how many bytes are not.

    Some letters of code pages are valid by chance: what stands beside a byte that is not, or makes
    a word of two scripts, speaks against UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    valid = damaged = 0
    while chunk := file.read(_CHUNK):
        text = decoder.decode(chunk)
        damaged += len(_undecoded(text)) + len(_by_chance(text))
        valid += len(_beyond_ascii(text))
    damaged += len(_undecoded(decoder.decode(b"", final=True)))
    return valid, damaged


def _words_beyond_ascii(file: BinaryIO) -> set[bytes]:
    words: set[bytes] = set()
    for line in file:
        if not line.isascii():
            words.update(word[:_LONGEST_WORD] for word in _words(line) if not word.isascii())
            if len(words) > _MOST_WORDS:
                break
    return words


def _is_rival(words: Iterable[bytes], page: str) -> bool:
    """Whether a page makes sense of the words, and not the same as Windows-1252."""
    sensible = other = total = 0
    for word in words:
        total += 1
        if _makes_sense(word, page):
            sensible += 1
            other += word.decode(page) != word.decode("cp1252", "replace")
    return other > 0 and sensible >= total * _ENOUGH


def _makes_sense(word: bytes, page: str) -> bool:
    try:
        text = word.decode(page)
    except UnicodeDecodeError:
        return False
    letters = _LETTERS[page]
    foreign = [it for it in text if it > "\x7f"]
    if all(it in _SIGNS for it in foreign):
        return _signs_stand_apart(text)
    if not all(it in letters or it in _SIGNS for it in foreign) or not _signs_stand_apart(text):
        return False
    bare = "".join(filter(str.isalpha, text))
    # "M3ller" is what a letter of another page leaves; "5 €" has its digits apart.
    if any(map(str.isdigit, text)):
        return False
    if len(bare) == 1:
        return bare in _ALONE
    if not (bare.islower() or bare.isupper() or bare[1:].islower() or _is_compound(bare)):
        return False
    # In Cyrillic and Greek a word has no Latin letter, elsewhere hardly any is without one.
    is_own_script = page in {"cp1251", "cp1253", "koi8_r", "cp866"}
    latin = any(it.isalpha() and it < "\x80" for it in text)
    return not latin if is_own_script else latin


def _is_compound(word: str) -> bool:
    """Whether a word is written like McGrégor: a capital within it is an ASCII letter."""
    return word[0].isupper() and all(it < "\x80" for it in word[1:] if it.isupper())


def _signs_stand_apart(text: str) -> bool:
    """Whether signs stand around a word; only apostrophes, dots and dashes stand within one."""
    inner = text.strip("".join(_SIGNS) + "'")
    return all(it in "'’·-\u00a0–" or (it.isalnum() and it not in _SIGNS) for it in inner)


def _is_east_asian(words: Iterable[bytes], page: str) -> bool:
    decoded = []
    for word in words:
        try:
            decoded.append(word.decode(page))
        except UnicodeDecodeError:
            return False
    wide = [text for text in decoded if all(it > "\u2e7f" for it in text if it.isalpha())]
    return bool(decoded) and len(wide) >= len(decoded) * _ENOUGH
