"""How a block file lies on the disk.

A header of 64 bytes: what it is, where the footer lies, and its sha256. Then the blocks, each at a multiple of 64 bytes: starts,
features, labels, values (left out where all are 1) and fields. Then the schema, and last the footer, JSON that describes it all.
"""

import struct
from typing import NamedTuple

MAGIC = b"CDFIELD1"
HEADER = struct.Struct("<8sQQ32s8x")
"""magic, place and length of the footer, its sha256"""
ALIGNMENT = 64


class BlockPlace(NamedTuple):
    """Where a block lies, and what is in it.

    Attributes:
        offset: in bytes.
        n_rows, n_entries: in the block.
        has_values: whether values are kept; else all are 1.
        crc32: of its bytes.
    """

    offset: int
    n_rows: int
    n_entries: int
    has_values: bool
    crc32: int

    @property
    def n_bytes(self) -> int:
        return 8 * (self.n_rows + 1) + 4 * self.n_rows + (10 if self.has_values else 6) * self.n_entries


def aligned(offset: int) -> int:
    """The next place where a block may begin."""
    return -(-offset // ALIGNMENT) * ALIGNMENT
