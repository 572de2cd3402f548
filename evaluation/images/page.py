"""The page on which a person tries a model: drop a picture or a candle file, see what the model sees, says and looks at.

`local_server` holds what keeps it to this computer, `tried_models` what the model does, `page.html` the page itself.
"""

import base64
import hashlib
import io
import json
import re
import threading
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import bottle
import numpy as np
from PIL import Image
from rich.console import Console

from common import printable
from evaluation.images.dropped_candles import READING
from evaluation.images.local_server import ADDRESS, Application, LocalServer, guarded, read_body
from evaluation.images.picture_figures import HEAT
from evaluation.images.tried_models import Look, TriedModel, model_to_try
from evaluation.report.palette import DARK, LIGHT

GIVEN = ("label", "date", "time", *READING)
"""what may stand behind the question mark of a request"""


def serve_page(run: Path, port: int, console: Console) -> None:
    """Show the page of a run on this computer, until Ctrl-C.

    Args:
        run: folder of `forecast.py images train`, or of `forecast.py train --model chart_cnn`.
        port: that is listened on; 0 takes any free one.
        console: for the lines.

    Raises:
        InputError: no such run, or a port that cannot be used.
    """
    model = model_to_try(run)
    server = LocalServer(port)
    server.set_app(guarded(page_app(model, run.name), server.server_port))
    address = f"http://{ADDRESS}:{server.server_port}"
    console.print(f"open {address} in a browser of this computer to try {model.name} of {run}; Ctrl-C ends it", markup=False)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        console.print("ended")
    finally:
        server.server_close()


def page_app(model: TriedModel, run: str) -> Application:
    """The application: `/` is the page, `/look` what the model makes of the file that is sent to it. There is nothing else.

    Args:
        model: one request at a time uses it.
        run: name that the page shows.
    """
    app: Any = bottle.Bottle()
    app.config["catchall"] = False  # what fails is told by `guarded`
    app.default_error_handler = _no_such_page
    lock = threading.Lock()
    page, policy = render_page(model, run)

    @app.get("/")
    def show() -> str:
        bottle.response.set_header("Content-Security-Policy", policy)
        return page

    @app.post("/look")
    def look() -> dict[str, Any]:
        content = read_body(bottle.request.environ, model.most_bytes)
        given = {name: text for name in GIVEN if (text := bottle.request.query.getunicode(name))}
        with lock:
            seen = model.look(content, given)
        return as_json(seen)

    return app


def render_page(model: TriedModel, run: str) -> tuple[str, str]:
    """The page, and the content security policy under which it does what it does, and nothing else."""
    about = {
        "kind": model.kind, "run": printable(run), "name": model.name, "about": model.about, "classes": model.classes,
        "most": model.most_bytes, "height": model.shape.height, "width": model.shape.width,
        "scale": _png(HEAT(np.linspace(0, 1, 64)[None], bytes=True)),
    }  # fmt: skip
    template = files("evaluation.images").joinpath("page.html").read_text(encoding="utf-8")
    parts = {
        "/* colors */": _colors(),
        "<!-- title -->": escape(f"{model.name} of {printable(run)}"),
        "<!-- about -->": json.dumps(about).replace("<", "\\u003c"),
    }
    page = re.sub("|".join(map(re.escape, parts)), lambda found: parts[found[0]], template)
    return page, (
        f"default-src 'none'; script-src {_hash_of('script', page)}; style-src {_hash_of('style', page)}; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def as_json(look: Look) -> dict[str, Any]:
    """With the pictures as addresses that hold them."""
    return {
        "headline": look.headline,
        "label": look.label,
        "probabilities": look.probabilities.tolist(),
        "picture": _png(look.picture.transpose(1, 2, 0)),  # (C, H, W) -> (H, W, C)
        "heat": _png(HEAT(look.heat, bytes=True)),
        "silent": not look.heat.any(),
        "facts": look.facts,
        "bar": None if look.bar is None else look.bar._asdict(),
    }


def _png(pixels: np.ndarray) -> str:
    """uint8 (H, W, 1, 3 or 4) as `data:image/png`."""
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _no_such_page(error: Any) -> str:
    bottle.response.content_type = "application/json"
    method = error.status_code == 405
    return json.dumps({"error": "this is not asked so" if method else "there is no such page; `/` is the only one"})


def _hash_of(tag: str, page: str) -> str:
    """Of the one inline part of that kind, as a policy names it."""
    (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _colors() -> str:
    """The palette as CSS variables, dark where the reader's system is."""
    light, dark = ("".join(f"--{name}:{color};" for name, color in colors.items()) for colors in (LIGHT, DARK))
    return f":root{{color-scheme:light dark;{light}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
