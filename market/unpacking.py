"""Takes the packing off a candle file: gzip, bzip2, xz and zip archives, and text that is not UTF-8."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from market.candles import CandleError

PACKERS: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
}
"""by the first bytes of the file: the name of the packing, and what takes it off"""
ZIP, SPREADSHEET = b"PK\x03\x04", "xl/workbook.xml"
MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be", codecs.BOM_UTF8: "utf-8"}


def unpacked(path: Path, content: bytes) -> bytes:
    """The content as UTF-8 text, Parquet, Feather or JSON.

    Raises:
        CandleError: a damaged archive, a zip with several files, or a spreadsheet.
    """
    for start, (name, unpack) in PACKERS.items():
        if content.startswith(start):
            try:
                return _as_utf8(unpack(content))
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise CandleError(f"{path} is damaged {name} ({error}); fetch it again") from None
    return _as_utf8(_of_zip(path, content) if content.startswith(ZIP) else content)


def _of_zip(path: Path, content: bytes) -> bytes:
    """The one file of a zip archive, as Binance gives them out."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir() and not _is_clutter(entry.filename)]
        if SPREADSHEET in names:
            raise CandleError(f"{path} is a spreadsheet; save it as CSV, with the times in full (2019-07-04 13:00)")
        if len(names) != 1:
            raise CandleError(f"an archive must hold one file, but {path} has {names[:5]}; unpack it and name one of them")
        return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise CandleError(f"{path} is a damaged or locked zip archive ({error}); unpack it, or fetch it again") from None


def _is_clutter(name: str) -> bool:
    """Whether it is what a Mac adds to each archive."""
    return name.startswith("__MACOSX/") or name.endswith(".DS_Store")


def _as_utf8(content: bytes) -> bytes:
    """Text in UTF-16, with its mark or without one, as MetaTrader writes it, turned into UTF-8 without a mark."""
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            rest = content[len(mark) :]
            return rest if encoding == "utf-8" else rest.decode(encoding, errors="replace").encode()
    head = content[:512]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) >= 16 and not any(zeros) and any(head):
            return content.decode(encoding, errors="replace").encode()
    if b"\r" in head and b"\n" not in head and not content.startswith((b"PAR1", b"ARROW1")):
        return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # lines that end as on old Macs
    return content
