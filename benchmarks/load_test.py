"""Loads the service of app.py as many clients do, and checks every answer.

    python benchmarks/load_test.py [--requests 200 --clients 16] [--engine onnxruntime]

Starts app.py on a free port of the loopback address, with a queue shorter than the clients are many, so that some
requests are refused with 429; a client then waits as long as Retry-After says. Each of a few pictures is sent many
times: every answer must equal the first one to the byte. Prints the times, the pictures a second, and the memory of
the service after the warm-up, at half of the requests and at the end.
"""

import itertools
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import ROOT, parse
from src.errors import UserError, run_entry
from src.images.files import list_images
from src.options.option import Options, option

STYLES = ("washes", "woodcut")


@dataclass(frozen=True)
class LoadOptions(Options):
    requests: int = option(200, "pictures to send in all", least=4)
    clients: int = option(16, "clients that send at the same time", least=1)
    side: int = option(256, "short side of the pictures asked for, pixels", least=16)
    queue: int = option(8, "pictures that may wait in the service", least=0)
    workers: int = option(2, "pictures that the service stylises at the same time", least=1)


class Load:
    """Requests from several threads, and what came of them.

    Attributes:
        seconds: from the first try of a request to its answer, waiting for a place included.
        refused: answers with 429.
        wrong: answers of another status, or with another picture than the first time.
    """

    def __init__(self, url, process, side):
        self.url, self.process, self.side = url, process, side
        self.seconds, self.memory, self.refused, self.wrong = [], [], 0, []
        self._expected, self._lock = {}, threading.Lock()
        contents = [path.read_bytes() for path in list_images(ROOT / "dataset/test/content", "content")]
        self.cases = list(itertools.product(range(len(contents)), STYLES))
        self._contents = contents

    def send(self, client, number):
        """Sends one request until the service has taken it."""
        content, style = self.cases[number % len(self.cases)]
        began = time.perf_counter()
        while True:
            response = client.post(
                "/api/stylize",
                data={"style": style, "size": self.side, "strength": 0.8},
                files={"content": self._contents[content]},
            )
            if response.status_code != 429:
                break
            with self._lock:
                self.refused += 1
            time.sleep(float(response.headers["Retry-After"]))
        with self._lock:
            self.seconds.append(time.perf_counter() - began)
            expected = self._expected.setdefault((content, style), response.content)
            if response.status_code != 200 or response.content != expected:
                self.wrong.append(f"request {number}: {response.status_code} {response.content[:200]!r}")
            self.memory.append(self.process.memory_info().rss)

    def run(self, count, clients):
        """Sends so many requests by so many clients; returns the seconds that all took."""
        numbers, began = iter(range(count)), time.perf_counter()

        def work():
            with httpx.Client(base_url=self.url, timeout=300) as client:
                while (number := self._next(numbers)) is not None:
                    self.send(client, number)

        with ThreadPoolExecutor(clients) as threads:
            for future in [threads.submit(work) for _ in range(clients)]:
                future.result()
        return time.perf_counter() - began

    def _next(self, numbers):
        with self._lock:
            return next(numbers, None)


def main(argv):
    """Starts the service, loads it, prints the figures; 1 when an answer was lost or wrong."""
    options = parse(argv, ("stylize.engine",), "Loads the service and checks every answer.", own=LoadOptions)
    own = options.own
    command = [sys.executable, "app.py", "--port", "0", "--queue", str(own.queue), "--workers", str(own.workers)]
    command += ["--engine", options.stylize.engine]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise UserError("app.py did not start; start it by hand to see why")
        load = Load(url, psutil.Process(process.pid), own.side)
        load.run(len(load.cases), own.clients)
        load.seconds, load.memory, load.refused = [], load.memory[-1:], 0
        total = load.run(own.requests, own.clients)
    finally:
        process.terminate()
        process.wait()
    report(load, own, total)
    lost = own.requests - len(load.seconds)
    print("\n".join(load.wrong) or "no answer was wrong", f"{lost} lost", f"exit status {process.returncode}", sep="\n")
    return 1 if load.wrong or lost or process.returncode else 0


def report(load, own, total):
    """Prints the figures."""
    p50, p95 = np.percentile(load.seconds, (50, 95))
    warm, half, end = (load.memory[i] / 2**20 for i in (0, len(load.memory) // 2, -1))
    print(
        f"{own.requests} requests by {own.clients} clients, short side {own.side}: {own.requests / total:.2f} images/s"
    )
    print(f"p50 {p50:.2f} s, p95 {p95:.2f} s; {load.refused} times 429")
    print(
        f"memory {warm:.0f} MiB after the warm-up, {half:.0f} at half, {end:.0f} at the end, peak "
        f"{max(load.memory) / 2**20:.0f}"
    )


if __name__ == "__main__":
    sys.exit(run_entry(main))
