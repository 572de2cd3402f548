"""The lines of a CSV file, checked before Arrow reads them: a quote that is not closed would otherwise swallow rows."""

import csv
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numba import njit

from common import InputError, cached, one_line
from features.fields.text_rows import whole_lines

SEPARATORS = (b",", b";", b"\t", b"|")
"""of cells; the first one that the header has is taken"""
LONGEST_LINE = 1 << 22
"""bytes; Arrow reads as many at a time, and needs a line end among them"""
LF, CR, QUOTE = 10, 13, 34
SOUND, OPEN_QUOTE, WRONG_COUNT, TOO_LONG = range(4)
NUMBERS_ALONE = re.compile(r"\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)?\s*")


def separator_of(header: bytes) -> bytes | None:
    """The character between the cells of a header line, quoted names left aside; None if there is one cell."""
    bare = re.sub(rb'"[^"]*"', b"", header)
    return next((separator for separator in SEPARATORS if separator in bare), None)


class CsvLines:
    """What stands below the header, as a file that Arrow reads. Each line is a row, but blank ones.

    Args:
        path: the file, for messages.
        stream: its bytes, unzipped.

    Attributes:
        names: of the columns, from the first line that is not blank.
        separator: between cells.
        n_rows: that were read so far.

    Raises:
        InputError: also from `read`: a byte that is no text, a quote that is not closed in its line, or a line with another
            number of cells than the header.
    """

    closed = False

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path, self._parts = path, whole_lines(path, stream)
        self.names: list[str] = []
        self.separator = SEPARATORS[0]
        self.n_rows = 0
        text = next(self._parts, b"")
        above = re.match(rb"([ \t]*(\r\n|\n|\r))*", text)
        self._line = 1 + (len(re.findall(rb"\r\n|\n|\r", above[0])) if above else 0)
        text = text[above.end() if above else 0 :]
        header = re.split(rb"[\r\n]", text, maxsplit=1)[0] + b"\n"
        self._read_names(header)
        self._first_line, self._gaps = self._line, np.zeros(0, np.int64)
        rest = re.sub(rb"^(\r\n|\n|\r)", b"", text[len(header) - 1 :], count=1)
        self._waiting = self._checked(rest) if rest else b""

    def read(self, n_bytes: int) -> bytes:
        """The next bytes, for Arrow."""
        parts, length = [self._waiting], len(self._waiting)
        while length < n_bytes and (part := next(self._parts, b"")):
            parts.append(self._checked(part))
            length += len(part)
        text = b"".join(parts)
        self._waiting = text[n_bytes:]
        return text[:n_bytes]

    def lines_of(self, first_row: int, n_rows: int) -> np.ndarray:
        """int64 (n,), where successive rows stand in the file, from 1 on."""
        rows = np.arange(first_row, first_row + n_rows)
        return self._first_line + rows + np.searchsorted(self._gaps, rows, side="right")

    def _read_names(self, header: bytes) -> None:
        self._require_text(header)
        self.separator = separator_of(header) or SEPARATORS[0]
        try:
            self.names = next(csv.reader([header.decode().rstrip("\n")], delimiter=self.separator.decode()), [])
        except csv.Error as error:
            raise self._wrong(
                0, f"the first line names the columns, but cannot be read ({one_line(error)})", "correct it"
            ) from None
        if all(NUMBERS_ALONE.fullmatch(name) for name in self.names):
            shown = header.decode().strip()[:40]
            raise self._wrong(0, f"the first line names the columns, but got {shown!r}", "put a line with names above it")
        self._check(header)

    def _checked(self, text: bytes) -> bytes:
        self._require_text(text)
        blank = self._check(text) - self._first_line
        known = len(self._gaps)
        # a gap is kept as the number of rows above it
        self._gaps = np.concatenate([self._gaps, blank - np.arange(known, known + len(blank))]) if len(blank) else self._gaps
        self.n_rows = self._line - self._first_line - len(self._gaps)
        return text

    def _check(self, text: bytes) -> np.ndarray:
        """The numbers of blank lines; moves on to the line behind the text."""
        blank = np.empty(text.count(b"\n") + text.count(b"\r"), np.int64)
        shape = ord(self.separator), len(self.names), LONGEST_LINE
        fault, n_lines, n_blank, found = check_lines(np.frombuffer(text, np.uint8), *shape, blank)
        if fault == OPEN_QUOTE:
            cell = text[found : found + 40].split(b"\n")[0].decode("utf-8", "ignore").rstrip("\r")
            remedy = "close it, and write a quote within quotes twice; cells with line ends can be kept as Parquet"
            raise self._wrong(n_lines, f"a quote must be closed in its line, but {cell!r} is not", remedy)
        if fault == WRONG_COUNT:
            remedy = f"put a cell that holds {self.separator.decode()!r} into quotes, and write numbers with a decimal point"
            raise self._wrong(n_lines, f"a line has as many cells as the header, {len(self.names)}, but got {found}", remedy)
        if fault == TOO_LONG:
            raise self._wrong(
                n_lines, f"a line has at most {LONGEST_LINE >> 20} MiB, but got {found:,} bytes", "is it a CSV file?"
            )
        lines = blank[:n_blank] + self._line
        self._line += n_lines
        return lines

    def _require_text(self, text: bytes) -> None:
        if (place := text.find(b"\0")) >= 0:
            raise self._wrong(_line_ends(text[:place]), "a CSV file is text, but got a NUL byte", "save it as UTF-8 text")
        try:
            text.decode()
        except UnicodeDecodeError as error:
            before = re.split(rb"[\r\n]", text[: error.start])[-1].decode("latin-1") + "?"
            place = len(next(csv.reader([before], delimiter=self.separator.decode()))) - 1
            where = f" in column {self.names[place]!r}" if place < len(self.names) else ""
            rule = f"a CSV file is UTF-8 text, but got the byte 0x{text[error.start]:02X}{where}"
            raise self._wrong(_line_ends(text[: error.start]), rule, "save it as UTF-8") from None

    def _wrong(self, lines_above: int, rule: str, remedy: str) -> InputError:
        return InputError(f"{self._path}, line {self._line + lines_above}: {rule}; {remedy}")


def _line_ends(text: bytes) -> int:
    return len(re.findall(rb"\r\n|\n|\r", text))


@cached(njit, nogil=True)
def check_lines(text, separator, n_cells, longest, blank):  # type: ignore[no-untyped-def]
    """Count cells and quotes as Arrow does: a quote is one at the begin of a cell alone.

    Args:
        text: uint8 (b,), whole lines, ends with LF; a CR ends a line, too.
        separator: between cells.
        n_cells: that each line must have.
        longest: bytes of a line.
        blank: int64, with room for all lines; the numbers of blank ones, from 0 on.

    Returns:
        The fault of the first line that has one, or `SOUND`; the lines above it, the blank lines above it; and where the quote
        is, or how many cells or bytes the line has.
    """
    at, line, n_blank = 0, 0, 0
    while at < len(text):
        begin, cells = at, 1
        while True:
            if text[at] == QUOTE:
                opened = at
                at += 1
                while True:
                    if text[at] == LF or text[at] == CR:
                        return OPEN_QUOTE, line, n_blank, opened
                    at += 1
                    if text[at - 1] == QUOTE:
                        if text[at] != QUOTE:
                            break
                        at += 1
            while text[at] != separator and text[at] != LF and text[at] != CR:
                at += 1
            if text[at] != separator:
                break
            cells += 1
            at += 1
        if at == begin:
            blank[n_blank] = line
            n_blank += 1
        elif cells != n_cells:
            return WRONG_COUNT, line, n_blank, cells
        elif at - begin > longest:
            return TOO_LONG, line, n_blank, at - begin
        at += 2 if text[at] == CR and text[min(at + 1, len(text) - 1)] == LF else 1
        line += 1
    return SOUND, line, n_blank, 0
