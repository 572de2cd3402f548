"""`report.html`: the outcome of a backtest as one self-contained page, light or dark as the reader's system is."""

import base64
from html import escape
from pathlib import Path

from rich.table import Table

from evaluation.metrics import FIGURES, Metrics, format_figure
from market import write_atomically

FEW = 5
"""strategies that fit side by side"""
STYLE = """
:root { color-scheme: light dark; --text: #1c1c1c; --muted: #666; --line: #ddd; --page: #fff; --mark: #f3f7fb; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8e8e8; --muted: #a0a0a0; --line: #3a3a3a; --page: #161616; --mark: #1e2731; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; }
.note { color: var(--muted); font-size: .9rem; }
.words { background: var(--mark); border-left: 4px solid #1769aa; padding: .75rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  th, td { padding: .3rem .25rem; font-size: .8rem; }
  th { white-space: normal; vertical-align: bottom; }
}
img { width: 100%; height: auto; background: #fff; border-radius: 6px; margin: .5rem 0 1rem; }
"""


def write_report(path: Path, title: str, words: str, notes: list[str], figures: dict[str, Metrics], pictures: list[Path]) -> None:
    """Write the page: what came out in words, the table, the pictures (PNG files, put into the page), the notes."""
    head = "".join(f"<th>{escape(name)}</th>" for name in figures)
    rows = "".join(
        f"<tr><td>{escape(heading)}</td>"
        + "".join(f"<td>{escape(format_figure(key, values[key]))}</td>" for values in figures.values())
        + "</tr>\n"
        for key, (heading, _) in FIGURES.items()
    )
    images = "".join(
        f'<img alt="{escape(picture.stem)}" src="data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}">\n'
        for picture in pictures
    )
    write_atomically(
        path,
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="words">{escape(words)}</p>
<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead><tbody>
{rows}</tbody></table></div>
{images}{"".join(f'<p class="note">{escape(note)}</p>' for note in notes)}
<p class="note">Research software. This is not investment advice.</p>
</body></html>
""",
    )


def figures_table(figures: dict[str, Metrics], title: str) -> Table:
    """A row a figure, a column a strategy, which fits 80 characters; the other way round if there are many."""
    if len(figures) > FEW:
        return _long_table(figures, title)
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in figures:
        table.add_column(name, justify="right")
    for key, (heading, _) in FIGURES.items():
        table.add_row(heading, *(format_figure(key, values[key]) for values in figures.values()))
    return table


def _long_table(figures: dict[str, Metrics], title: str) -> Table:
    """A row a strategy."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading, _ in FIGURES.values():
        table.add_column(heading, justify="right")
    for name, values in figures.items():
        table.add_row(name, *(format_figure(key, values[key]) for key in FIGURES))
    return table
