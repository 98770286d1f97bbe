"""uvicorn around the application: a stop that finishes running requests, and an end for silent connections."""

import contextlib
import logging
import signal
import sys

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from src.service.gate import logger
from src.signals import heeded

# connections at the same time; a thousand silent ones then cost little
CONNECTIONS = 512


class Server(uvicorn.Server):
    """uvicorn's server, whose state says that it is stopping, and which ends well after a signal."""

    def __init__(self, config, state):
        super().__init__(config)
        self._state = state

    def handle_exit(self, sig, frame):
        """Takes no new connections, finishes the requests that are there; a second signal does not wait for them."""
        self.force_exit = self.should_exit
        self._state.stopping = self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self):
        """uvicorn's own raises the signal again after the stop, which then looks like a failure."""
        before = {number: signal.signal(number, self.handle_exit) for number in heeded()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets=None):
        """Listens, and says where."""
        await super().startup(sockets)
        for server in self.servers:
            for host, port, *_ in (socket.getsockname() for socket in server.sockets):
                print(f"http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)


def impatient(seconds):
    """A protocol for uvicorn that closes connections whose request's head has not arrived after some seconds.

    uvicorn waits without end for a head that comes letter by letter; bodies are timed by `src.service.gate`.
    """

    class Impatient(H11Protocol):
        head_timer = None

        def connection_made(self, transport):
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data):
            cycle = self.cycle
            super().data_received(data)
            if self.cycle is not cycle:
                self._forget_head()
            elif self.head_timer is None and (cycle is None or cycle.response_complete):
                self._await_head()

        def connection_lost(self, exc):
            self._forget_head()
            super().connection_lost(exc)

        def _await_head(self):
            self.head_timer = self.loop.call_later(seconds, self._give_up)

        def _forget_head(self):
            if self.head_timer is not None:
                self.head_timer.cancel()
                self.head_timer = None

        def _give_up(self):
            body = b'{"error": "the head of the request had not arrived in time; send it faster"}'
            head = b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n"
            self.transport.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.transport.close()

    return Impatient


def serve(application, settings):
    """Serves until a signal comes, then finishes the requests that are running.

    Args:
        application: from `src.service.application.create_application`.
        settings: `src.options.service.ServiceConfig`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        http=impatient(settings.receive_seconds),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=int(settings.work_seconds) + 5,
    )
    Server(config, application.state).run()
