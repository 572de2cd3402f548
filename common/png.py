"""Writes a matplotlib figure as PNG: the same figure gives the same bytes, and a reader never sees half a file."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from common.atomic_files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_png(figure: "Figure", path: Path, dpi: float | None = None) -> None:
    """Write the figure.

    Args:
        dpi: pixels per inch; None takes the figure's own.
    """
    buffer = io.BytesIO()
    # The metadata would name the version of matplotlib, so that an update would change the bytes.
    figure.savefig(buffer, format="png", dpi="figure" if dpi is None else dpi, metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
