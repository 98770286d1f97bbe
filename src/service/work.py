"""The bounded queue before the networks: some pictures at a time, some that wait; more are refused until later."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from src.service.refusal import Refusal

# seconds that a picture is assumed to need before the first one is measured
FIRST_GUESS = 1.0


class Ticket:
    """A place in the queue, as the function that runs in it sees it.

    Attributes:
        waited: seconds in the queue; worked: seconds of work, after the end.
    """

    def __init__(self, seconds):
        self._entered = time.monotonic()
        self._until, self._given_up = self._entered + seconds, False
        self.started, self.waited, self.worked = False, 0.0, 0.0

    def give_up(self):
        """Lets the work end at its next `check`: nobody waits for the result."""
        self._given_up = True

    def check(self, *_):
        """Ends work that is late, or whose client is gone. Takes and ignores the arguments of a progress function.

        Raises:
            Refusal: the work is to end.
        """
        if self._given_up or time.monotonic() > self._until:
            raise late()

    def run(self, function):
        """The result of `function(self)`."""
        self.started, began = True, time.monotonic()
        self.waited = began - self._entered
        self.check()
        try:
            return function(self)
        finally:
            self.worked = time.monotonic() - began


def late() -> Refusal:
    """The Refusal of work that takes too long."""
    return Refusal(503, "the picture took longer than the service allows; ask for a smaller one, or later", 5)


class WorkQueue:
    """Runs functions in `workers` threads; `waiting` more may stand in line.

    Its methods are for the thread of the event loop. A function that has begun is never lost: `close` waits for it.

    Args:
        metrics: `src.service.metrics.Metrics`, whose stylize_seconds tell how long a client will have to wait.
    """

    def __init__(self, workers, waiting, seconds, metrics):
        self.workers, self._places, self._seconds, self._metrics = workers, workers + waiting, seconds, metrics
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="stylize")
        self._tickets, self._closed = set(), False

    @property
    def working(self) -> int:
        """Functions that run."""
        return sum(ticket.started for ticket in self._tickets)

    @property
    def waiting(self) -> int:
        """Functions in line."""
        return len(self._tickets) - self.working

    def refuse_when_full(self):
        """Raises a Refusal with 429, and the seconds until there may be a place, where no function could enter."""
        if self._closed:
            raise Refusal(503, "the service is stopping; ask another one, or later", 5)
        if len(self._tickets) >= self._places:
            self._metrics.add("refused_total")
            mean = self._metrics.mean("stylize_seconds", FIRST_GUESS)
            raise Refusal(
                429,
                f"{len(self._tickets)} pictures are waiting or in work, which is all that the service takes; send the "
                "request again after the seconds in Retry-After",
                mean * len(self._tickets) / self.workers / 2,
            )

    async def run(self, function, gone):
        """The result of a function of a `Ticket`, and the ticket.

        Args:
            function: runs in a worker's thread.
            gone: coroutine that ends when nobody waits for the result any more.

        Raises:
            Refusal: the queue is full or closed, the time is over, or the client has gone.
            Exception: what the function raises.
        """
        try:
            self.refuse_when_full()
        except Refusal:
            gone.close()
            raise
        ticket = Ticket(self._seconds)
        self._tickets.add(ticket)
        work = asyncio.wrap_future(self._executor.submit(ticket.run, function))
        work.add_done_callback(lambda future: self._leave(ticket, future))
        leaving = asyncio.ensure_future(gone)
        try:
            done, _ = await asyncio.wait({work, leaving}, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if work in done:
            return work.result(), ticket
        ticket.give_up()
        if not ticket.started:
            work.cancel()
        raise Refusal(499, "the client has gone") if leaving in done else late()

    def _leave(self, ticket, future):
        self._tickets.discard(ticket)
        if not future.cancelled():
            future.exception()  # read here, because asyncio logs an error whose result nobody has read

    def close(self):
        """Refuses new functions and waits for those that are there."""
        self._closed = True
        self._executor.shutdown(wait=True)
