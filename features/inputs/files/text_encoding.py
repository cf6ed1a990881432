"""Text files in whatever encoding they are: opened, whether packed or not, and brought to UTF-8.

DuckDB reads UTF-8. A file in another encoding is read from a copy, made piece by piece; which encoding it has is told
by its byte order mark, else by the settings. It is not guessed: `likely_encoding` only names what to set.
"""

import codecs
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from features.tables.problems import CannotOpen, Finding

CHUNK_BYTES = 1 << 20
FIRST_LINES = 3  # `sep=;`, the header and a row
MOST_LOOKED_AT = 64 << 20  # bytes, to tell what encoding a file may have
MARKS = (  # the longer first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
PACKED = {".gz": "gzip", ".zst": "zstd"}
_BEYOND_ASCII = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")


def packing(path: Path) -> str:
    """How a file is packed, by its name, as DuckDB calls it."""
    return PACKED.get(path.suffix.lower(), "none")


def opened(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked."""
    kind = packing(path)
    if kind == "gzip":
        return cast(BinaryIO, gzip.open(path))
    if kind == "zstd":
        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def is_text_encoding(name: str) -> bool:
    """Whether there is an encoding of that name, and it is one of text."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def in_utf8(table: str, path: Path, encoding: str | None, copies: Path) -> Path:
    """The file itself if it is in UTF-8, or is to be taken so, else a copy of it that is.

    Parameters
    ----------
    table
        The table that it belongs to, for the message.
    encoding
        What the settings say; None for UTF-8. A byte order mark overrules it, and so does a file that is UTF-8 through
        and through: files of one folder may differ.
    copies
        A folder for the copy.

    Raises
    ------
    CannotOpen
        The file is not in that encoding.
    """
    try:
        with opened(path) as content:
            head = content.read(4)
    except (OSError, EOFError, zlib.error):
        return path  # said when its header is read
    mark = next((name for mark, name in MARKS if head.startswith(mark)), None)
    needed = mark or codecs.lookup(encoding or "utf-8").name
    if needed == "utf-8" or (mark is None and _is_utf8(path)):
        return path
    copies.mkdir(parents=True, exist_ok=True)
    copy = copies / (path.stem if packing(path) != "none" else path.name)
    _transcode(table, path, needed, copy)
    return copy


def with_one_line_end(path: Path, copies: Path) -> Path:
    """The file itself, or a copy whose lines all end with LF if its first lines end both with LF and with CRLF.

    DuckDB reads lines that end as the first does, such as a line `sep=;` put before others.
    """
    try:
        with opened(path) as content:
            lines = [content.readline(CHUNK_BYTES) for _ in range(FIRST_LINES)]
    except (OSError, EOFError, zlib.error):
        return path  # said when its header is read
    ends = {line.endswith(b"\r\n") for line in lines if line.endswith(b"\n")}
    if len(ends) < 2:
        return path
    copies.mkdir(parents=True, exist_ok=True)
    copy = copies / (path.stem if packing(path) != "none" else path.name)
    with opened(path) as content, copy.open("wb") as out:
        for line in content:
            out.write(line[:-2] + b"\n" if line.endswith(b"\r\n") else line)
    return copy


def likely_encoding(path: Path) -> str | None:
    """What a file that is not UTF-8 may be in; None where it is UTF-8 but for some damaged letters."""
    with opened(path) as content:
        head = content.read(1024)
        if wide := _wide_encoding(head):
            return wide
        letters = head + content.read(MOST_LOOKED_AT)
    utf8 = _BEYOND_ASCII.findall(letters)
    if 2 * sum(map(len, utf8)) > len(_HIGH.findall(letters)):
        return None
    try:
        letters.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _wide_encoding(head: bytes) -> str | None:
    """UTF-16 without a byte order mark: every other byte of mostly plain letters is 0."""
    for name, zeros, letters in (("utf-16-le", head[1::2], head[0::2]), ("utf-16-be", head[0::2], head[1::2])):
        if len(zeros) > 1 and zeros.count(0) > 0.8 * len(zeros) and letters.count(0) < 0.2 * len(letters):
            return name
    return None


def advice(encoding: str) -> str:
    """What to do about a file that seems to be in another encoding."""
    return f"It seems to be in {encoding}: set source.encoding: {encoding}, or save it in UTF-8."


def _is_utf8(path: Path) -> bool:
    """Whether a file is UTF-8 without any zeros, which UTF-16 and UTF-32 are full of."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with opened(path) as content:
            while chunk := content.read(CHUNK_BYTES):
                if "\0" in decoder.decode(chunk):
                    return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _transcode(table: str, path: Path, encoding: str, copy: Path) -> None:
    decoder, lines = codecs.getincrementaldecoder(encoding)(), 1
    try:
        with opened(path) as content, copy.open("wb") as out:
            while chunk := content.read(CHUNK_BYTES):
                text = decoder.decode(chunk)
                lines += text.count("\n")
                out.write(text.encode("utf-8"))
            out.write(decoder.decode(b"", final=True).encode("utf-8"))
    except UnicodeError as error:
        reason = getattr(error, "reason", str(error))
        what = f"{path.name} cannot be read as {encoding}: {reason}, in line {lines:,} or some lines below"
        raise CannotOpen(Finding(table, what, "Correct source.encoding, or save the file in UTF-8.")) from None
