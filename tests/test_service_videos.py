"""Videos as jobs of the service: sent, watched, cancelled, fetched."""

import errno

import httpx
import numpy as np
import pytest
from conftest import make_image
from service_client import PATIENCE, RunningServer, SlowNetworks, bundled_stylizer, make_clip, picture, wait_until

from src.stylize.stylizer import Stylizer

av = pytest.importorskip("av")
FRAMES = 8


@pytest.fixture(scope="module")
def clip():
    """The bytes of a clip of 8 frames."""
    return make_clip(FRAMES)


@pytest.fixture(scope="module")
def bundled():
    return bundled_stylizer()


def send(client, clip, style="washes", **fields):
    return client.post("/api/videos", data={"style": style, **fields}, files={"video": ("../../x.mp4", clip)})


def wait(client, identity, *statuses):
    def state():
        return client.get(f"/api/videos/{identity}").json()

    return wait_until(lambda: (found := state())["status"] in statuses and found, state)


def test_a_video_is_stylised_beside_pictures(bundled, clip, tmp_path):
    with RunningServer(bundled) as running, httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
        folder = running.application.state.videos._folder
        sent = send(client, clip, strength="0.8", temporal="false", colours="match")
        assert sent.status_code == 202, sent.text
        identity = sent.json()["id"]
        early = client.get(f"/api/videos/{identity}/result")
        assert early.status_code in (200, 409)
        state = wait(client, identity, "done", "failed")
        assert (state["status"], state["done"]) == ("done", FRAMES)
        result = client.get(f"/api/videos/{identity}/result")
        assert result.headers["content-type"] == "video/mp4"
        (tmp_path / "out.mp4").write_bytes(result.content)
        with av.open(str(tmp_path / "out.mp4")) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(frames) == FRAMES and frames[0].shape == (48, 64, 3)
        assert np.abs(frames[0].astype(int) - make_image(48, 64)).mean() > 10  # it is stylised
        assert np.abs(frames[0].mean((0, 1)) - make_image(48, 64).mean((0, 1))).max() < 5  # its colours are kept
        assert client.delete(f"/api/videos/{identity}").status_code == 200
        assert client.get(f"/api/videos/{identity}").status_code == 404
        assert folder.is_dir() and not list(folder.iterdir())
    assert not folder.exists()


def test_a_video_is_cancelled_and_the_next_one_begins(bundled, clip):
    slow = Stylizer(SlowNetworks(bundled.networks))
    with RunningServer(slow, workers=1) as running, httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
        first, second = (send(client, clip).json()["id"] for _ in range(2))
        assert slow.networks.begun.acquire(timeout=PATIENCE)
        assert client.get(f"/api/videos/{second}").json()["status"] == "queued"
        more = [send(client, clip) for _ in range(3)]
        assert [response.status_code for response in more] == [202, 202, 429]
        assert "retry-after" in more[2].headers
        assert client.delete(f"/api/videos/{first}").status_code == 200
        slow.networks.go_on.set()
        assert wait(client, first, "done", "failed", "cancelled")["status"] == "cancelled"
        assert wait(client, second, "done", "failed")["status"] == "done"


def test_a_full_disk_is_said_without_a_path(bundled, clip, monkeypatch, caplog):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/place")

    monkeypatch.setattr("src.video.pipeline.assemble", full)
    with RunningServer(bundled) as running, httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
        state = wait(client, send(client, clip).json()["id"], "done", "failed")
    assert state["status"] == "failed" and state["text"].startswith("the service has no room to write this video")
    assert "/secret/place: No space left on device; free some space" in caplog.text


def test_what_is_no_video_is_refused(bundled, clip):
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"
    with RunningServer(bundled, max_video_seconds=0.5) as running:
        with httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
            for video, status, text in (
                (playlist, 415, "no video"),
                (picture(), 415, "no video"),
                (b"", 415, "no video"),
                (clip[: len(clip) // 3], 422, "can't be read"),
                (clip, 413, "0.5 seconds"),
            ):
                refused = send(client, video)
                assert refused.status_code == status and text in refused.json()["error"], refused.text
            assert send(client, clip, style="nobody").status_code == 404
            assert send(client, clip, temporal="perhaps").status_code == 422
            assert send(client, clip, colours="sepia").status_code == 422
            assert client.get("/api/videos/../secrets").status_code == 404
            assert client.delete("/api/videos/1").status_code == 404
            assert not list(running.application.state.videos._folder.iterdir())
