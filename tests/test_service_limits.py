"""What bounds the service: bodies at a time, seconds to wait, embeddings and videos that are kept, threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from half_networks import HalfNetworks
from service_client import picture

from src.options.service import ServiceConfig
from src.service.gate import ARRIVING, Gate
from src.service.metrics import Metrics
from src.service.model import Model, style_key
from src.service.refusal import Refusal
from src.service.videos import KEPT_SECONDS, VideoJobs
from src.service.work import Ticket, WorkQueue
from src.stylize.stylizer import Stylizer


def test_so_many_bodies_arrive_at_the_same_time():
    gate = Gate(None, ServiceConfig(queue=2, workers=1), "", Metrics())
    for _ in range(3 * ARRIVING):
        gate.begin_arrival()
    with pytest.raises(Refusal, match="arrive at the same time") as refused:
        gate.begin_arrival()
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    gate.end_arrival()
    gate.begin_arrival()


def test_the_seconds_to_wait_grow_with_the_line():
    metrics = Metrics()
    metrics.time("stylize_seconds", 6.0)
    queue = WorkQueue(2, 6, 60, metrics)
    queue._tickets = {Ticket(60) for _ in range(8)}
    with pytest.raises(Refusal, match="8 pictures are waiting") as refused:
        queue.refuse_when_full()
    assert refused.value.headers["Retry-After"] == "12"  # half of the line, by two workers
    queue._tickets = set()
    queue.close()
    with pytest.raises(Refusal, match="stopping") as refused:
        queue.refuse_when_full()
    assert refused.value.status == 503


def test_the_embeddings_that_were_used_last_are_kept():
    model = Model(Stylizer(HalfNetworks()), ServiceConfig(cached_styles=2), Metrics(), "half")
    files = [picture(seed=seed) for seed in range(3)]
    assert [model.embed_file(files[number], "style")[1] for number in (0, 1, 0, 2)] == [False, False, True, False]
    assert [model.known(style_key(file)) for file in files] == [True, False, True]
    with pytest.raises(Refusal, match="is not known any more"):
        model.embed_name(style_key(files[1]))


class Alone(HalfNetworks):
    """Networks of an engine that one thread at a time may run."""

    name = "openvino"

    def __init__(self):
        super().__init__()
        self.running, self.most = 0, 0

    def transfer(self, content, embedding):
        self.running += 1
        self.most = max(self.most, self.running)
        time.sleep(0.02)
        self.running -= 1
        return super().transfer(content, embedding)


def test_networks_of_other_engines_are_run_by_one_thread_at_a_time():
    networks = Alone()
    model = Model(Stylizer(networks), ServiceConfig(), Metrics(), "alone")
    with ThreadPoolExecutor(4) as threads:
        content = np.zeros((16, 16, 3), np.uint8)
        content[::2] = 200
        list(threads.map(lambda _: model.stylizer.stylize(content, np.zeros(3)), range(8)))
    assert networks.most == 1 and len(networks.seen) == 8


def test_videos_that_have_ended_are_forgotten_after_an_hour():
    pytest.importorskip("av", reason="needs requirements-video.txt")
    jobs = VideoJobs(None, ServiceConfig())
    try:
        old, new = jobs.new(), jobs.new()
        for job, ago in ((old, KEPT_SECONDS + 1), (new, KEPT_SECONDS - 60)):
            job.result.write_bytes(b"a video")
            job.status, job.ended = "done", time.monotonic() - ago
            jobs._jobs[job.id] = job
        jobs.refuse_when_full()
        assert not old.folder.exists() and new.result.is_file() and jobs.find(new.id) is new
        with pytest.raises(Refusal, match="kept for an hour"):
            jobs.find(old.id)
    finally:
        jobs.close()


def test_a_stop_ends_readiness_before_the_work():
    from fastapi.testclient import TestClient

    from src.service.application import create_application

    slow, ready = HalfNetworks(), []
    application = create_application(Stylizer(slow), ServiceConfig(), "half")
    close = application.state.queue.close
    application.state.queue.close = lambda: ready.append(application.state.stopping) or close()
    with TestClient(application, "http://127.0.0.1") as client:
        assert client.get("/readyz").status_code == client.get("/v2/health/ready").status_code == 200
        application.state.stopping = True
        assert client.get("/readyz").status_code == client.get("/v2/health/ready").status_code == 503
        assert client.get("/healthz").status_code == 200
        application.state.stopping = False
    assert ready == [True]


def test_requests_that_are_counted_by_threads_are_all_counted():
    metrics = Metrics()
    threads = [threading.Thread(target=lambda: [metrics.add("pictures_total") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "style_transfer_pictures_total 2000" in metrics.render()
