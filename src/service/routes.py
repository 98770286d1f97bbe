"""The addresses under /api, and those that balancers and Prometheus ask."""

import asyncio
from functools import lru_cache

import psutil
from fastapi import APIRouter, Request, Response

from src.images.files import resize_short_side
from src.service import forms
from src.service.model import style_key, thumbnail_file
from src.service.pictures import MEDIA_TYPES, check_picture, decode_picture, encode_picture
from src.service.refusal import Refusal

PICTURE = {"content": {kind: {} for kind in MEDIA_TYPES.values()}, "description": "the picture"}
THUMBNAIL = {"content": {"image/jpeg": {}}, "description": "a small picture"}


async def gone(request):
    """Ends when the client of a request that has arrived in whole has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def check_styles(state, styles):
    """Raises a Refusal unless the model can embed all styles of a request: names, keys, or files' bytes."""
    model = state.model
    for i, style in enumerate(styles, 1):
        if isinstance(style, bytes):
            if model.has_table:
                raise Refusal(422, f"style {i}: the model embeds no images; it has {', '.join(model.gallery)}")
            await asyncio.to_thread(check_picture, style, f"style {i}", state.most_pixels)
        elif not model.known(style):
            message = f"style {style!r:.80}: is not known; GET /api/styles lists names, POST /api/styles adds images"
            raise Refusal(404, message)


def build_router(state) -> APIRouter:
    """The routes.

    Args:
        state: `src.service.application.State`.
    """
    router = APIRouter()
    model, queue, settings = state.model, state.queue, state.settings
    small = lru_cache(maxsize=256)(thumbnail_file)

    async def thumbnail(files, name):
        if files.get(name) is None:
            raise Refusal(404, f"no picture {name!r:.80}")
        return Response(await asyncio.to_thread(small, files[name]), media_type="image/jpeg")

    @router.post(
        "/api/stylize",
        summary="Stylise a picture",
        response_class=Response,
        responses={200: PICTURE},
        openapi_extra=forms.describe_form(),
    )
    async def stylize(request: Request):
        queue.refuse_when_full()
        form = await forms.read_stylize_form(request)
        options = form.options
        await asyncio.to_thread(check_picture, form.content, "content", state.most_pixels, options.size)
        await check_styles(state, form.styles)

        def work(ticket):
            content = decode_picture(form.content, "content")
            if options.size:
                content = resize_short_side(content, options.size)
            embedding = model.blend(form.styles, form.weights)
            pastiche = model.stylize(content, embedding, options.strength, options.colours, ticket)
            return encode_picture(pastiche, options.format)

        picture, ticket = await queue.run(work, gone(request))
        state.metrics.time("stylize_seconds", ticket.worked)
        timing = f"queue;dur={ticket.waited * 1000:.0f}, stylize;dur={ticket.worked * 1000:.0f}"
        headers = {"Server-Timing": timing, "Cache-Control": "no-store"}
        return Response(picture, media_type=MEDIA_TYPES[options.format], headers=headers)

    style_body = forms.form_body({"style": {"type": "string", "format": "binary"}}, ["style"])

    @router.post("/api/styles", summary="Embed a style image, and keep the embedding", openapi_extra=style_body)
    async def add_style(request: Request):
        queue.refuse_when_full()
        fields = await forms.read_form(request, ("style",))
        if len(fields) != 1 or not isinstance(fields[0][1], bytes):
            raise Refusal(422, f"field style: found {len(fields)} fields, expected one picture as a file")
        data = fields[0][1]
        await check_styles(state, [data])
        (_, kept), _ = await queue.run(lambda ticket: model.embed_file(data, "style"), gone(request))
        return {"style": style_key(data), "cached": kept}

    @router.get("/api/styles", summary="The styles that the service offers by name")
    async def list_styles():
        return {"styles": [{"name": name, "picture": path is not None} for name, path in model.gallery.items()]}

    @router.get("/api/styles/{name}/picture", response_class=Response, responses={200: THUMBNAIL})
    async def style_picture(name: str):
        return await thumbnail(model.gallery, name)

    @router.get("/api/samples", summary="Photographs to try with")
    async def list_samples():
        return {"samples": [{"name": name} for name in model.samples]}

    @router.get("/api/samples/{name}", response_class=Response, responses={200: PICTURE})
    async def sample(name: str):
        if name not in model.samples:
            raise Refusal(404, f"no sample {name!r:.80}")
        return Response(
            encode_picture(await asyncio.to_thread(state.read_sample, name), "jpeg"), media_type="image/jpeg"
        )

    @router.get("/api/samples/{name}/picture", response_class=Response, responses={200: THUMBNAIL})
    async def sample_picture(name: str):
        return await thumbnail(model.samples, name)

    @router.get("/api/about", summary="The model, and what the service takes")
    async def about():
        return {
            "model": model.name,
            "style_images": not model.has_table,
            "videos": state.videos is not None,
            "max_video_megabytes": settings.max_video_megabytes,
            "max_video_seconds": settings.max_video_seconds,
            "max_megabytes": settings.max_megabytes,
            "max_megapixels": settings.max_megapixels,
            "max_styles": forms.MOST_STYLES,
            "formats": list(MEDIA_TYPES),
        }

    @router.get("/healthz", summary="Whether the process lives")
    async def healthz():
        return {"status": "alive"}

    @router.get("/readyz", summary="Whether it takes pictures")
    async def readyz():
        if state.stopping:
            raise Refusal(503, "the service is stopping", 5)
        return {"status": "ready"}

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def metrics():
        resident = psutil.Process().memory_info().rss
        text = state.metrics.render(waiting=queue.waiting, working=queue.working, resident_bytes=resident)
        return Response(text, media_type="text/plain; version=0.0.4")

    return router
