"""Videos as jobs, which clients send, ask after, cancel and fetch. One is stylised at a time, beside the pictures."""

import asyncio
import importlib.util
import secrets
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from src.errors import UserError
from src.options.video import VideoConfig
from src.service import forms
from src.service.gate import logger
from src.service.refusal import Refusal
from src.service.routes import check_styles
from src.video.failures import DiskRefuses
from src.video.packages import import_av
from src.video.pipeline import stylize_video

# jobs that may wait or run; those that have ended are kept for some time
MOST_JOBS = 4
KEPT_SECONDS = 3600
# mean frames a second that no video exceeds
MOST_RATE = 120
# Beginnings of the containers that are read: MP4 and MOV, WebM and MKV, AVI, GIF. FFmpeg knows playlists as well, which
# name other files and addresses.
HEADS = ((4, b"ftyp"), (0, b"\x1a\x45\xdf\xa3"), (8, b"AVI "), (0, b"GIF8"))
ENDED = ("done", "failed", "cancelled")


def can_do_videos() -> bool:
    """Whether the packages of requirements-video.txt are there."""
    return all(importlib.util.find_spec(name) for name in ("av", "cv2"))


class Cancelled(Exception):
    """The client has cancelled the job."""


@dataclass
class Job:
    """A video in work.

    Attributes:
        id: text by which the client asks for the job; nobody else can guess it.
        folder: folder of this job, with the source and the result.
        status: queued, working, done, failed or cancelled.
        done, total: frames; total is 0 while it is not known.
        text: pace and time left, or what went wrong.
    """

    folder: Path
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    status: str = "queued"
    done: int = 0
    total: int = 0
    text: str = ""
    ended: float = 0.0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def source(self) -> Path:
        """The video as it was sent."""
        return self.folder / "source"

    @property
    def result(self) -> Path:
        """The stylised one."""
        return self.folder / "result.mp4"

    def describe(self) -> dict:
        """The JSON of the job for its client."""
        return {"id": self.id, "status": self.status, "done": self.done, "total": self.total, "text": self.text}


class VideoJobs:
    """The jobs, in a folder that is removed when the service ends.

    Args:
        model: `src.service.model.Model`.
        settings: `src.options.service.ServiceConfig`.
    """

    def __init__(self, model, settings):
        self._model, self._settings = model, settings
        self._folder = Path(tempfile.mkdtemp(prefix="style-transfer-"))
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="video")
        self._jobs = {}

    def refuse_when_full(self):
        """Raises a Refusal with 429 where no job could be added."""
        self._forget_old()
        if sum(job.status not in ENDED for job in self._jobs.values()) >= MOST_JOBS:
            raise Refusal(429, f"{MOST_JOBS} videos are waiting or in work; send the video again later", 30)

    def new(self) -> Job:
        """A job without a video yet."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        return Job(folder)

    def start(self, job, styles, options, temporal):
        """Puts a job whose source has arrived into the queue.

        Raises:
            Refusal: the queue is full, or the source is no video that the service takes.
        """
        self.refuse_when_full()
        self._jobs[job.id] = job
        self._executor.submit(self._work, job, styles, options, temporal)

    def find(self, identity) -> Job:
        """The job of an id.

        Raises:
            Refusal: there is none.
        """
        if identity not in self._jobs:
            raise Refusal(404, f"no video {identity!r:.60}; those that have ended are kept for an hour")
        return self._jobs[identity]

    def remove(self, job):
        """Cancels a job that waits or runs, and forgets one that has ended."""
        job.stopped.set()
        if job.status == "queued":
            self._end(job, "cancelled", "cancelled")
        if job.status in ENDED:
            self._jobs.pop(job.id, None)
            self.discard(job)

    def discard(self, job):
        """Removes a job's files."""
        shutil.rmtree(job.folder, ignore_errors=True)

    def check(self, path):
        """Raises a Refusal unless a file is a video that the service takes, by its header."""
        with open(path, "rb") as file:
            head = file.read(16)
        if not any(head[at : at + len(mark)] == mark for at, mark in HEADS):
            raise Refusal(
                415, "video: is no video that the service reads; send an MP4, MOV, WebM, MKV, AVI or GIF file"
            )
        av = import_av()
        try:
            with av.open(str(path)) as container:
                stream = next(iter(container.streams.video), None)
                if stream is None:
                    raise Refusal(422, "video: has no picture track; send another video")
                pixels = stream.codec_context.width * stream.codec_context.height
                seconds = (container.duration or 0) / 1e6
        except (av.FFmpegError, OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise Refusal(422, f"video: can't be read ({said}); send another video") from None
        if pixels > self._settings.max_megapixels * 1e6:
            raise Refusal(413, f"video: has more than {self._settings.max_megapixels:g} million pixels a frame")
        if seconds > self._settings.max_video_seconds:
            raise Refusal(413, f"video: is longer than {self._settings.max_video_seconds:g} seconds; send a part of it")

    def _work(self, job, styles, options, temporal):
        if job.stopped.is_set():
            return
        job.status = "working"
        most = self._settings.max_video_seconds

        def progress(done, total, text):
            job.done, job.total, job.text = done, total, text
            if job.stopped.is_set() or done > most * MOST_RATE:
                raise Cancelled

        try:
            embedding = self._model.blend(styles, options.weights or [1.0] * len(styles))
            settings = VideoConfig(temporal=temporal, duration=most)
            notes = stylize_video(
                *(self._model.stylizer, [(embedding, 0.0)], job.source, job.result, settings),
                size=options.size,
                strength=options.strength,
                progress=progress,
                preserve_colors=options.colours,
                kept="",
            )
            self._end(job, "done", "; ".join(notes))
        except Cancelled:
            self._end(job, "cancelled", "cancelled")
            self.discard(job)
        except DiskRefuses as error:
            logger.error("video %s failed: %s", job.id, error)
            self._end(job, "failed", "the service has no room to write this video; send it again later")
        except (UserError, Refusal) as error:
            self._end(job, "failed", str(error).replace(str(job.source), "video").replace(str(job.result), "result"))
        except Exception:  # noqa: BLE001  the next job must find a thread
            logger.exception("video %s failed", job.id)
            self._end(job, "failed", "the service failed at this video; its log has the cause")
        finally:
            job.source.unlink(missing_ok=True)

    def _end(self, job, status, text):
        job.status, job.text, job.ended = status, text, time.monotonic()

    def _forget_old(self):
        for job in list(self._jobs.values()):
            if job.status in ENDED and time.monotonic() - job.ended > KEPT_SECONDS:
                self.remove(job)

    def close(self):
        """Cancels all jobs, because a video may take longer than a stop may, and removes all files."""
        for job in self._jobs.values():
            job.stopped.set()
        self._executor.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def build_router(state) -> APIRouter:
    """The routes.

    Args:
        state: `src.service.application.State`.
    """
    router, jobs = APIRouter(prefix="/api/videos", tags=["videos"]), state.videos

    @router.post("", status_code=202, summary="Stylise a video", openapi_extra=forms.describe_video_form())
    async def add(request: Request):
        jobs.refuse_when_full()
        job = jobs.new()
        try:
            styles, options, temporal = await forms.read_video_form(request, job.source)
            await check_styles(state, styles)
            await asyncio.to_thread(jobs.check, job.source)
            jobs.start(job, styles, options, temporal)
        except BaseException:
            jobs.discard(job)
            raise
        return job.describe()

    @router.get("/{identity}", summary="How far a video is")
    async def ask(identity: str):
        return jobs.find(identity).describe()

    @router.delete("/{identity}", summary="Cancel a video, or forget one that has ended")
    async def remove(identity: str):
        job = jobs.find(identity)
        jobs.remove(job)
        return job.describe()

    @router.get("/{identity}/result", summary="The stylised video", response_class=FileResponse)
    async def result(identity: str):
        job = jobs.find(identity)
        if job.status != "done":
            raise Refusal(409, f"the video is {job.status}; fetch it when its status is done")
        return FileResponse(job.result, media_type="video/mp4", headers={"Cache-Control": "no-store"})

    return router
