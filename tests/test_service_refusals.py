"""Requests that are wrong: each gets its status and a line that says what to do, and the service goes on."""

import io
import json
import select
import socket
import struct
import zlib

import httpx
import numpy as np
import pytest
from PIL import Image
from service_client import NAME, PATIENCE, RunningServer, bundled_stylizer, picture

INFER = f"/v2/models/{NAME}/infer"


@pytest.fixture(scope="module")
def stylizer():
    return bundled_stylizer()


@pytest.fixture(scope="module")
def running(stylizer):
    with RunningServer(stylizer, max_megabytes=0.4, max_megapixels=0.5, receive_seconds=PATIENCE) as running:
        yield running


@pytest.fixture(scope="module")
def hurried(stylizer):
    """A service that gives a request one second to arrive."""
    with RunningServer(stylizer, receive_seconds=1.0) as running:
        yield running


@pytest.fixture(scope="module")
def client(running):
    with httpx.Client(base_url=running.url, timeout=PATIENCE) as client:
        yield client


def bomb(side=30_000):
    """A PNG of a few hundred bytes whose header promises 900 million pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9000))) + chunk(b"IEND", b"")
    )


def tiff():
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "TIFF")
    return stream.getvalue()


def flipped(data, at):
    """The file with one byte changed."""
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


GOOD = picture()
JPEG = picture(kind="JPEG")
NOISE = np.random.default_rng(0).bytes(3000)


def form(photo=GOOD, style="washes", **fields):
    """The arguments of a request to stylise, with some of it changed; None leaves a field out."""
    fields = {"style": style, **fields}
    files = [] if photo is None else [("content", ("a.png", photo))]
    files += [(name, ("b.png", value)) for name, value in fields.items() if isinstance(value, bytes)]
    data = {name: value for name, value in fields.items() if isinstance(value, str | list)}
    return {"url": "/api/stylize", "data": data, "files": files}


def multipart(body, boundary="x"):
    return {
        "url": "/api/stylize",
        "content": body,
        "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    }


def tensors(*inputs, **more):
    return {"url": INFER, "content": json.dumps({"inputs": list(inputs), **more}).encode()}


def tensor(name="content", shape=(1, 4, 4, 3), datatype="UINT8", data=None, **more):
    shape = list(shape)
    return {"name": name, "shape": shape, "datatype": datatype, "data": data or [7] * int(np.prod(shape)), **more}


STYLE = tensor("style")
WRONG = {
    # pictures
    "no bytes": (form(b""), 422, "0 bytes"),
    "text in place of a picture": (form(b"hello"), 415, "no picture"),
    "a picture of a format that is not read": (form(tiff()), 415, "JPEG, PNG"),
    "vector graphics": (form(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), 415, "no picture"),
    "noise": (form(NOISE), 415, "no picture"),
    "cut short": (form(JPEG[: len(JPEG) // 2]), 422, "content: damaged"),
    "cut short PNG": (form(GOOD[: len(GOOD) // 2]), 422, "content: damaged"),
    "a wrong checksum": (form(flipped(GOOD, len(GOOD) // 2)), 422, "content: damaged"),
    "a bomb": (form(bomb()), 413, "million pixels"),
    "too many pixels": (form(picture(600, 900, kind="JPEG", quality=20)), 413, "0.5 million pixels"),
    "too many pixels asked for": (form(size="2000"), 413, "at size 2000"),
    "too many bytes": (form(GOOD + bytes(500_000)), 413, "0.4 million bytes"),
    "a damaged style": (form(style=JPEG[:300]), 422, "style 1"),
    "text as style file": (form(style=b"hello"), 415, "style 1"),
    # fields
    "no content": (form(None, GOOD), 422, "field content: found 0"),
    "content as text": (form(None, GOOD, content="a.png"), 422, "found text"),
    "two contents": ({**form(), "files": [("content", ("a", GOOD))] * 2}, 422, "found 2"),
    "no style": (form(style=None), 422, "found 0 styles"),
    "too many styles": (form(style=["washes"] * 9), 422, "1 to 8"),
    "a field that is not known": (form(colour="luma"), 422, "'colour': is not known"),
    "strength of words": (form(strength="much"), 422, "field strength"),
    "strength too high": (form(strength="1.6"), 422, "0 to 1.5"),
    "strength that is no number": (form(strength="nan"), 422, "field strength"),
    "size below 0": (form(size="-1"), 422, "field size"),
    "size that is endless": (form(size="inf"), 422, "field size"),
    "colours of another name": (form(colours="sepia"), 422, "none, luma, match"),
    "format of another name": (form(format="exe"), 422, "png, jpeg, webp"),
    "weights too many": (form(weights="1,2"), 422, "field weights"),
    "weights of nothing": (form(weights="0"), 422, "field weights"),
    "weights below 0": (form(weights="-1"), 422, "weights"),
    "a field twice": (form(size=["32", "48"]), 422, "stands twice"),
    "a file in place of a field": (form(size=b"32"), 422, "found a file"),
    "a very long field": (form(strength="1" * 20_000), 400, "maximum size"),
    # paths
    "a path as style": (form(style="../../../../etc/passwd"), 404, "is not known"),
    "a file's URL as style": (form(style="file:///etc/passwd"), 404, "is not known"),
    "a path as page": ({"method": "GET", "url": "/page/..%2f..%2fapp.py"}, 404, "nothing is at"),
    "a path as sample": ({"method": "GET", "url": "/api/samples/..%2F..%2Fapp.py"}, 404, "nothing is at"),
    "a sample of another name": ({"method": "GET", "url": "/api/samples/passwd"}, 404, "no sample"),
    "a page of another name": ({"method": "GET", "url": "/page/app.py"}, 404, "no page"),
    # bodies
    "no body": ({"url": "/api/stylize"}, 415, "multipart/form-data"),
    "JSON": ({"url": "/api/stylize", "json": {"content": "x"}}, 415, "application/json"),
    "a form of another kind": ({"url": "/api/stylize", "data": {"style": "washes"}}, 415, "urlencoded"),
    "a form without boundary": (
        {**multipart(b""), "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "boundary",
    ),
    "a form that is none": (multipart(b"hello"), 400, "multipart"),
    "a form that ends early": (
        multipart(b'--x\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\nabc'),
        *(422, "field content"),
    ),
    "a part without name": (multipart(b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"), 400, "name"),
    "a compressed body": ({**form(), "headers": {"Content-Encoding": "gzip"}}, 415, "uncompressed"),
    "the page of another site": ({**form(), "headers": {"Origin": "http://evil.example"}}, 403, "another site"),
    "another name of the host": ({**form(), "headers": {"Host": "evil.example"}}, 403, "option hosts"),
    "another method": ({"method": "GET", "url": "/api/stylize"}, 405, "GET"),
    "another address": ({"method": "GET", "url": "/etc/passwd"}, 404, "nothing is at"),
    # a style to keep
    "a style without bytes": ({"url": "/api/styles", "files": {"style": b""}}, 422, "0 bytes"),
    "a style as text": ({"url": "/api/styles", "files": {"style": (None, "washes")}}, 422, "as a file"),
    "two styles": ({"url": "/api/styles", "files": [("style", GOOD), ("style", GOOD)]}, 422, "found 2"),
    # tensors
    "no JSON": ({"url": INFER, "content": b"\xff{"}, 400, "no JSON"),
    "JSON of many levels": ({"url": INFER, "content": b"[" * 100_000}, 400, "no JSON"),
    "JSON of another kind": ({"url": INFER, "json": [1]}, 400, "inputs: missing"),
    "no inputs": (tensors(), 400, "inputs: missing"),
    "an input without name": (tensors({"shape": [1]}), 400, "without a name"),
    "an input of another name": (tensors(tensor("photo")), 400, "expected content"),
    "another datatype": (tensors(tensor(datatype="INT8")), 400, "datatype 'INT8'"),
    "the datatype of another input": (tensors(tensor(datatype="FP32"), STYLE), 400, "expected UINT8"),
    "another shape": (tensors(tensor(shape=(4, 4, 3)), STYLE), 400, "expected UINT8 [-1, -1, -1, 3]"),
    "a shape of words": (tensors({**tensor(), "shape": ["a"]}), 400, "shape"),
    "a shape below 0": (tensors({**tensor(), "shape": [1, -4, -4, 3]}), 400, "shape"),
    "too few numbers": (tensors(tensor(data=[1, 2, 3])), 400, "has 3 numbers"),
    "numbers beyond the type": (tensors(tensor(data=[256] * 48)), 400, "no list of UINT8"),
    "words in place of numbers": (tensors(tensor(data=["a"] * 48)), 400, "no list of UINT8"),
    "rows of several lengths": (tensors(tensor(data=[[1], [1, 2]])), 400, "no list of UINT8"),
    "nothing in it": (tensors(tensor(shape=(1, 0, 4, 3)), STYLE), 400, "expected UINT8"),
    "no style tensor": (tensors(tensor()), 400, "found no style"),
    "strength tensor too high": (tensors(tensor(), STYLE, tensor("strength", [1], "FP32", [9.0])), 400, "0 to 1.5"),
    "styles of another count": (tensors(tensor(shape=(3, 4, 4, 3)), tensor("style", (2, 4, 4, 3))), 400, "1 or 3"),
    "an output of another name": (tensors(tensor(), STYLE, outputs=[{"name": "logits"}]), 400, "'logits'"),
    "more binary data than sent": (
        tensors({**tensor(), "parameters": {"binary_data_size": 48}}),
        400,
        "binary_data_size",
    ),
    "a wrong length of the head": (
        {**tensors(tensor()), "headers": {"Inference-Header-Content-Length": "99999"}},
        *(400, "Inference-Header"),
    ),
    "a model of another name": ({"url": "/v2/models/resnet/infer", "json": {}}, 404, "'resnet'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_told_what_is_wrong(client, name):
    arguments, status, text = WRONG[name]
    response = client.request(**{"method": "POST", **arguments})
    assert response.status_code == status, response.text
    body = response.json()
    assert text in body["error"] and "Traceback" not in response.text
    assert body["request_id"] == response.headers["x-request-id"]
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


def talk(running, sent, pause=0.0):
    """What the service answers on a connection of its own to pieces of bytes, sent with pauses between.

    No more pieces are taken when the service answers or closes.
    """
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as connection:
        answer = b""
        try:
            for piece in sent:
                connection.sendall(piece)
                if pause and select.select([connection], [], [], pause)[0]:
                    break
        except OSError:
            pass  # the service has closed
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionError:
            pass
        return answer.decode()


BEGUN = b'--x\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\n'


def head(length, *more):
    lines = ["POST /api/stylize HTTP/1.1", "Host: 127.0.0.1", "Content-Type: multipart/form-data; boundary=x", *more]
    lines += [f"Content-Length: {length}"] if length is not None else ["Transfer-Encoding: chunked"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_body_that_comes_slowly_is_given_up(hurried):
    """While it still comes: a piece in time does not begin the second anew."""
    pieces = iter([head(1000) + BEGUN, *[b"-"] * 600])
    answer = talk(hurried, pieces, 0.1)
    assert answer.startswith("HTTP/1.1 408 ") and "1 seconds; send it faster" in answer
    assert list(pieces)


def test_a_head_that_comes_slowly_is_given_up(hurried):
    pieces = iter([b"GET /", *[b"a"] * 600])
    answer = talk(hurried, pieces, 0.1)
    assert answer.startswith("HTTP/1.1 408 ") and "send it faster" in answer
    assert list(pieces)


def test_a_connection_that_says_nothing_is_closed(hurried):
    assert talk(hurried, []).startswith("HTTP/1.1 408 ")


def test_bytes_are_counted_where_no_length_is_given(running):
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    answer = talk(running, [head(None) + b"%x\r\n%b\r\n" % (len(BEGUN), BEGUN), *[chunk] * 8])
    assert answer.startswith("HTTP/1.1 413 ") and "0.4 million bytes" in answer


def test_a_large_body_is_refused_before_it_is_sent(running):
    answer = talk(running, [head(10**12, "Expect: 100-continue")])
    assert answer.startswith("HTTP/1.1 413 ") and "100 Continue" not in answer


def test_what_is_no_http_is_refused(running):
    assert talk(running, [b"\x16\x03\x01hello\r\n\r\n"]).startswith("HTTP/1.1 400 ")


def test_the_service_goes_on_and_its_queue_is_empty(running, hurried, client):
    """Last in this file: after all of the above."""
    response = client.request(method="POST", **form())
    assert response.status_code == 200 and response.content.startswith(b"\x89PNG")
    for application in (running.application, hurried.application):
        queue = application.state.queue
        assert (queue.waiting, queue.working, application._arriving) == (0, 0, 0)
    assert not any(line.endswith('status="500"} 1') for line in client.get("/metrics").text.splitlines())
