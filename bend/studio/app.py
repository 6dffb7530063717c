"""The server: the page's files, the downloads, and the socket for playing.

No path is ever taken from a client: files of runs and takes are looked up by name.
"""

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from bend.bends.geometry import EDGES
from bend.errors import BendError, SettingsError
from bend.studio.actions import BUSY, Studio, graph_facts, keep_takes, whole_state
from bend.studio.config import StudioConfig
from bend.studio.guard import Guard
from bend.studio.hub import Hub
from bend.studio.instrument import Instrument
from bend.studio.jobs import Jobs
from bend.studio.keeping import Keeping
from bend.studio.live import live
from bend.studio.message import Message, told_of
from bend.studio.palette import palette
from bend.studio.shelf import Shelf
from stylegan.errors import StyleganError

__all__ = ["make_app", "open_studio"]

_log = logging.getLogger(__name__)
_STATIC = Path(__file__).parent / "static"


def open_studio(config: StudioConfig) -> Studio:
    """Open the network and start the threads.

    Raises:
        SettingsError, StyleganError: the network or the stored presets cannot be read.
    """
    shelf, hub = Shelf(config), Hub()
    keeping = Keeping(config.out)
    instrument = Instrument(config, shelf, hub.publish)
    jobs = Jobs(lambda: hub.publish(Message("jobs")))
    return Studio(
        config=config,
        shelf=shelf,
        hub=hub,
        instrument=instrument,
        keeping=keeping,
        jobs=jobs,
    )


def make_app(studio: Studio, *, token: str, hosts: Collection[str]) -> Starlette:
    """The ASGI application.

    Args:
        studio: what it serves; closed when the application ends.
        token: the secret that a request must carry.
        hosts: names under which it may be called.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        studio.hub.open()
        try:
            yield
        finally:
            await run_in_threadpool(_keep_unsaved, studio)
            await run_in_threadpool(studio.instrument.close)
            await run_in_threadpool(studio.jobs.close)

    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/icon.svg", _icon),
            Route("/start", _start),
            Route("/picture.png", _picture),
            Route("/recipe", _recipe),
            Route("/takes/{name}.zip", _take),
            Route("/takes/{name}.mp4", _film),
            Route("/runs/{run}/{picture}", _run_picture),
            WebSocketRoute("/live", live),
            Mount("/assets", StaticFiles(directory=_STATIC / "assets", check_dir=False)),
        ],
        middleware=[Middleware(Guard, token=token, hosts=hosts)],
        exception_handlers={
            BendError: _refused,
            StyleganError: _refused,
            TimeoutError: _busy,
            OSError: _unreadable,
        },
        lifespan=lifespan,
    )
    app.state.studio = studio
    return app


def _keep_unsaved(studio: Studio) -> None:
    """Save what is still being recorded when the studio ends, and say so."""
    if not studio.instrument.is_recording:
        return
    try:
        _log.warning("kept what was being recorded: %s", ", ".join(keep_takes(studio)))
    except SettingsError:  # nothing was played yet
        return
    except OSError as error:
        _log.error("what was being recorded is lost: %s", error)


async def _page(request: Request) -> Response:
    return FileResponse(_STATIC / "index.html")


async def _icon(request: Request) -> Response:
    return FileResponse(_STATIC / "icon.svg")


async def _start(request: Request) -> Response:
    """Everything that a page needs at its start."""
    studio: Studio = request.app.state.studio
    graph = await run_in_threadpool(lambda: studio.instrument.ask(graph_facts).result(timeout=120))
    state = await run_in_threadpool(whole_state, studio)
    facts = {"bends": palette(), "edges": EDGES, "graph": graph, "state": state}
    text = json.dumps(facts | {"patch": studio.instrument.patch.facts()})  # ASCII: names need not be Unicode
    return Response(text, media_type="application/json")


async def _picture(request: Request) -> Response:
    studio: Studio = request.app.state.studio
    asked = studio.instrument.ask_now(studio.keeping.picture)
    return _download("studio.png", await run_in_threadpool(asked.result, timeout=120))


async def _recipe(request: Request) -> Response:
    studio: Studio = request.app.state.studio
    asked = studio.instrument.ask_now(studio.keeping.recipe)
    return _download(*await run_in_threadpool(asked.result, timeout=120))


async def _take(request: Request) -> Response:
    studio: Studio = request.app.state.studio
    name = request.path_params["name"]
    return _download(f"{name}.zip", await run_in_threadpool(studio.keeping.take_archive, name))


async def _film(request: Request) -> Response:
    studio: Studio = request.app.state.studio
    name = request.path_params["name"]
    path = await run_in_threadpool(studio.keeping.film, name)
    return FileResponse(path, filename=path.name, content_disposition_type="inline")


async def _run_picture(request: Request) -> Response:
    studio: Studio = request.app.state.studio
    run, name = request.path_params["run"], request.path_params["picture"]
    path = await run_in_threadpool(studio.shelf.run_picture, run, name)
    return FileResponse(path)


async def _refused(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=404)


async def _busy(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{BUSY}\n", status_code=503)


async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return PlainTextResponse(f"{told_of(error)}\n", status_code=404)


def _download(name: str, data: bytes) -> Response:
    media = {"png": "image/png", "toml": "application/toml", "zip": "application/zip"}[
        name.rpartition(".")[2]
    ]
    return Response(data, media_type=media, headers={"Content-Disposition": f"attachment; {_named(name)}"})


def _named(name: str) -> str:
    """A file's name in a header, which holds no other letters than those of ASCII."""
    quoted = quote(name, safe="")
    return f'filename="{name}"' if quoted == name else f"filename*=UTF-8''{quoted}"
