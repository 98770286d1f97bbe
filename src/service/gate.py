"""The checks that every request passes: name and token, bytes and seconds, headers, the log, the figures.

An ASGI application around another one. Bytes and seconds are counted as they arrive, before anything is parsed: the
parser of forms would read a body to its end.
"""

import asyncio
import hashlib
import hmac
import logging
import re
import time
import uuid
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from src.service.refusal import Refusal

logger = logging.getLogger("style_transfer.service")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# asked for without a token: the page itself, which asks its user for one, and what a balancer needs
OPEN = ("/", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")
OPEN_FOLDER = "/page/"
# the address that takes larger bodies than the others
VIDEOS = "/api/videos"
REQUEST_ID = re.compile(r"[\w.\-]{1,64}", re.ASCII)
# seconds in which a client that was refused may still send; a connection that is closed under its hands loses the reply
LINGER = 2.0
# bodies that may arrive at the same time, for each place in the queue
ARRIVING = 2
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def error_response(refusal, request_id) -> JSONResponse:
    """The JSON of a refusal. The key `error` is that of the open inference protocol."""
    body = {"error": refusal.message, "request_id": request_id}
    return JSONResponse(body, refusal.status, headers=refusal.headers)


class Gate:
    """The gate before `app`.

    Args:
        app: an ASGI application; it finds the request's id in scope["state"]["request_id"].
        settings: `src.options.service.ServiceConfig`.
        token: that requests must bring; empty for none.
        metrics: `src.service.metrics.Metrics`.
    """

    def __init__(self, app, settings, token, metrics):
        self._app, self._settings, self._metrics = app, settings, metrics
        self._token = hashlib.sha256(token.encode()).digest() if token else None
        self._hosts = tuple(settings.hosts) or (LOOPBACK if settings.host in LOOPBACK else ())
        self._arriving = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = Passage(self, scope, receive, send)
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        passage.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = passage.request_id
        try:
            self.check(scope, headers)
            await self._app(scope, passage.receive, passage.send)
        except Refusal as refusal:
            await error_response(refusal, passage.request_id)(scope, passage.receive, passage.send)
        except Exception:
            if passage.status is None:
                raise
            logger.exception("request_id=%s failed", passage.request_id)
        finally:
            self._note(passage, scope)

    def check(self, scope, headers):
        """Raises a Refusal by what the request's head says."""
        host = urlsplit(f"//{headers.get('host', '')}")
        if self._hosts and host.hostname not in self._hosts:
            raise Refusal(403, "the service is not called by this name here; option hosts lists its names")
        origin = headers.get("origin")
        if origin and scope["method"] not in ("GET", "HEAD") and urlsplit(origin).netloc != host.netloc:
            raise Refusal(403, "the request comes from the page of another site, which the service does not serve")
        path = scope["path"]
        if self._token and path not in OPEN and not path.startswith(OPEN_FOLDER):
            kind, _, token = headers.get("authorization", "").partition(" ")
            found = hashlib.sha256(token.strip().encode("latin-1", "replace")).digest()
            if not hmac.compare_digest(found, self._token) or kind.lower() != "bearer":
                raise Refusal(401, "a token is missing or wrong; send the header Authorization: Bearer TOKEN")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.most_bytes(path):
            raise self.too_large(path)
        if headers.get("content-encoding", "identity") != "identity":
            raise Refusal(415, "the body is compressed (Content-Encoding); send it uncompressed")

    def most_bytes(self, path) -> int:
        """The most bytes that a request to an address may have."""
        return int(1e6 * (self._settings.max_video_megabytes if path == VIDEOS else self._settings.max_megabytes))

    def too_large(self, path) -> Refusal:
        """The Refusal of a request with more bytes."""
        return Refusal(413, f"the request has more than {self.most_bytes(path) / 1e6:g} million bytes; send less")

    def receive_seconds(self, path) -> float:
        """Seconds within which a request must have arrived. A video has more time in proportion to its most bytes."""
        return self._settings.receive_seconds * max(1, self.most_bytes(path) / self.most_bytes(""))

    def begin_arrival(self):
        """Counts a body that begins to arrive; a Refusal where too many do already."""
        places = self._settings.queue + self._settings.workers
        if self._arriving >= ARRIVING * places:
            raise Refusal(429, "too many requests arrive at the same time; send the request again in a second", 1)
        self._arriving += 1

    def end_arrival(self):
        """Counts a body as arrived, or given up."""
        self._arriving -= 1

    def _note(self, passage, scope):
        seconds = time.monotonic() - passage.began
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.add("requests_total", route=route, method=_known(scope["method"]), status=passage.status or 500)
        self._metrics.time("request_seconds", seconds, route=route)
        client = scope.get("client") or ("-",)
        path = scope.get("raw_path", b"").decode("ascii", "backslashreplace")
        logger.info(
            "request_id=%s client=%s method=%s path=%s status=%s received=%d sent=%d seconds=%.3f",
            *(passage.request_id, client[0], _known(scope["method"]), path[:200], passage.status or 500),
            *(passage.received, passage.sent, seconds),
        )


class Passage:
    """One request at the gate: its `receive` and `send`, counted and bounded.

    Attributes:
        request_id: the client's where it has the form of one, ours otherwise.
        status: of the response, None before that begins.
        received, sent: bytes of the bodies.
        began: on the clock `time.monotonic`.
    """

    def __init__(self, gate, scope, receive, send):
        self._gate, self._scope, self._receive, self._send = gate, scope, receive, send
        headers = Headers(scope=scope)
        self._more = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._arriving = False
        self.request_id, self.status, self.received, self.sent, self.began = "", None, 0, 0, time.monotonic()

    async def receive(self):
        """The next message of the client.

        Raises:
            Refusal: more bytes than allowed, too slow, or too many others.
        """
        if not self._more:
            return await self._receive()
        if not self._arriving:
            self._gate.begin_arrival()
            self._arriving = True
        left = self.began + self._gate.receive_seconds(self._scope["path"]) - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(0, left))
        except asyncio.TimeoutError:
            self._end_arrival()
            seconds = self._gate.receive_seconds(self._scope["path"])
            raise Refusal(408, f"the request had not arrived after {seconds:g} seconds; send it faster") from None
        except BaseException:
            self._end_arrival()
            raise
        self.received += len(message.get("body", b""))
        if self.received > self._gate.most_bytes(self._scope["path"]):
            self._end_arrival()
            raise self._gate.too_large(self._scope["path"])
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            self._more = False
            self._end_arrival()
        return message

    def _end_arrival(self):
        if self._arriving:
            self._gate.end_arrival()
            self._arriving = False

    async def send(self, message):
        """Sends a message of the response, with what every response has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            added = {**HEADERS, "X-Request-Id": self.request_id}
            if self._more:
                added["Connection"] = "close"
            names = [name for name, _ in message["headers"]]
            fresh = [(k.lower().encode(), v.encode()) for k, v in added.items() if k.lower().encode() not in names]
            message = {**message, "headers": [*message["headers"], *fresh]}
        else:
            self.sent += len(message.get("body", b""))
            if self._more and not message.get("more_body"):
                await self._send({**message, "more_body": True})
                await self._drain()
                message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drain(self):
        """Reads on for a moment: a client that is still sending reads the response only afterwards."""
        self._end_arrival()
        until = time.monotonic() + LINGER
        try:
            while self._more and (left := until - time.monotonic()) > 0:
                message = await asyncio.wait_for(self._receive(), left)
                self._more = message["type"] == "http.request" and message.get("more_body", False)
        except asyncio.TimeoutError:
            pass


def _known(method):
    return method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH") else "OTHER"
