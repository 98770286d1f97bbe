"""The service as one ASGI application: gate, routes, page."""

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from src.images.files import read_image
from src.memory import lacks_memory
from src.options.service import ServiceConfig
from src.service import inference, routes, videos
from src.service.gate import Gate, error_response, logger
from src.service.metrics import Metrics
from src.service.model import Model
from src.service.refusal import Refusal
from src.service.videos import VideoJobs, can_do_videos
from src.service.work import WorkQueue

PAGE = Path(__file__).with_name("page")
# the only files of the page that are served
PAGE_FILES = {path.name: path for path in sorted(PAGE.iterdir()) if path.suffix in (".html", ".js", ".css", ".svg")}
TITLE = "Arbitrary style transfer"


@dataclass
class State:
    """What the routes share."""

    settings: ServiceConfig
    model: Model
    queue: WorkQueue
    metrics: Metrics
    videos: VideoJobs | None
    stopping: bool = False

    @property
    def most_pixels(self) -> float:
        """The most pixels that a picture may have."""
        return self.settings.max_megapixels * 1e6

    def read_sample(self, name):
        """A sample photograph, uint8 (H, W, 3)."""
        return read_image(self.model.samples[name])


def create_application(stylizer, settings, name, token="") -> Gate:
    """The ASGI application; `state` on it is the `State`.

    Args:
        stylizer: `src.stylize.stylizer.Stylizer`.
        settings: `ServiceConfig`.
        name: of the model.
        token: that requests must bring; empty for none.

    Raises:
        UserError: see `Model`.
    """
    metrics = Metrics()
    queue = WorkQueue(settings.workers, settings.queue, settings.work_seconds, metrics)
    model = Model(stylizer, settings, metrics, name)
    state = State(settings, model, queue, metrics, VideoJobs(model, settings) if can_do_videos() else None)

    @asynccontextmanager
    async def lifespan(_):
        yield
        state.stopping = True
        if state.videos:
            state.videos.close()
        queue.close()

    # FastAPI's own pages of documentation load scripts from other servers
    app = FastAPI(title=TITLE, version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.include_router(routes.build_router(state))
    if state.videos:
        app.include_router(videos.build_router(state))
    app.include_router(inference.build_router(state))

    @app.get("/", include_in_schema=False)
    async def index():
        return _page_file("index.html")

    @app.get("/page/{name}", include_in_schema=False)
    async def page(name: str):
        return _page_file(name)

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal):
        return error_response(error, request.state.request_id)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException):
        words = {404: f"nothing is at {request.url.path!r:.120}", 405: f"{request.method} is not for this address"}
        refusal = Refusal(error.status_code, words.get(error.status_code, str(error.detail)))
        refusal.headers.update(error.headers or {})
        return error_response(refusal, request.state.request_id)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError):
        first = error.errors()[0]
        message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        return error_response(Refusal(422, message), request.state.request_id)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception):
        refusal = Refusal(500, "the service failed at this request; its log has the cause under the request's id")
        if lacks_memory(error):
            text = "the service is short of memory for this request; send a smaller picture, or come again later"
            refusal = Refusal(503, text)
        return error_response(refusal, request.state.request_id)

    gate = Gate(app, settings, token, metrics)
    gate.state = state
    logger.info("model %s in %s, %d styles", name, stylizer.networks.name, len(state.model.gallery))
    return gate


def _page_file(name):
    if name not in PAGE_FILES:
        raise Refusal(404, f"no page {name!r:.80}")
    return FileResponse(PAGE_FILES[name], headers={"Cache-Control": "no-cache"})
