"""The open inference protocol of the HTTP service: KServe's and Triton's clients call it."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from service_client import NAME, bundled_stylizer, picture, read_picture, tensor

from src.options.service import ServiceConfig
from src.service.application import create_application


@pytest.fixture(scope="module")
def bundled():
    return bundled_stylizer()


@pytest.fixture(scope="module")
def client(bundled):
    with TestClient(create_application(bundled, ServiceConfig(), NAME), "http://127.0.0.1") as client:
        yield client


def infer(client, inputs, headers=None, **more):
    body = json.dumps({"inputs": inputs, **more}).encode()
    return client.post(f"/v2/models/{NAME}/infer", content=body, headers=headers)


def test_the_protocol_describes_server_and_model(client):
    assert "binary_tensor_data" in client.get("/v2").json()["extensions"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    for path in (f"/v2/models/{NAME}", f"/v2/models/{NAME}/versions/1"):
        described = client.get(path).json()
        assert described["name"] == NAME and [port["name"] for port in described["outputs"]] == [
            "pastiche",
            "embedding",
        ]
        assert client.get(f"{path}/ready").json() == {"name": NAME, "ready": True}
    assert client.get("/v2/models/other").status_code == 404
    assert client.get(f"/v2/models/{NAME}/versions/2/ready").status_code == 404


def test_tensors_as_json_give_the_stylizers_pastiche(client, bundled):
    content, style = read_picture(picture(24, 32)), read_picture(picture(40, 40, 1))
    embedding = bundled.embed(style)
    expected = bundled.stylize(content, embedding)
    response = infer(client, [tensor("content", content[None]), tensor("style", style[None])], id="x-1")
    answer = response.json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == (NAME, "1", "x-1")
    output, used = answer["outputs"]  # a request that names none gets all
    assert (output["name"], output["datatype"], output["shape"]) == ("pastiche", "UINT8", [1, 24, 32, 3])
    assert (np.reshape(output["data"], expected.shape) == expected).all()
    assert (used["name"], used["shape"]) == ("embedding", [1, len(embedding)])
    assert (np.array(used["data"], np.float32) == embedding).all()
    # two contents, one embedding, both outputs
    inputs = [tensor("content", np.stack([content, content[::-1]])), tensor("embedding", embedding[None])]
    inputs += [tensor("strength", np.array([0.5], np.float32))]
    wanted = [{"name": "embedding"}, {"name": "pastiche"}]
    outputs = infer(client, inputs, outputs=wanted).json()["outputs"]
    assert [output["name"] for output in outputs] == ["embedding", "pastiche"]
    assert outputs[1]["shape"] == [2, 24, 32, 3]
    half = bundled.stylize(content, bundled.strengthen(content, embedding, 0.5))
    assert (np.reshape(outputs[1]["data"], (2, 24, 32, 3))[0] == half).all()


def test_tensors_as_binary_give_the_same(client, bundled):
    content, style = read_picture(picture(24, 32)), read_picture(picture(40, 40, 1))
    expected = bundled.stylize(content, bundled.embed(style))
    inputs, tail = [], b""
    for name, array in (("content", content[None]), ("style", style[None])):
        entry = {**tensor(name, array), "parameters": {"binary_data_size": array.nbytes}}
        del entry["data"]
        inputs.append(entry)
        tail += array.tobytes()
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    response = client.post(f"/v2/models/{NAME}/infer", content=head + tail, headers=headers)
    length = int(response.headers["inference-header-content-length"])
    output, used = json.loads(response.content[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": expected.size} and "data" not in output
    pixels, rest = response.content[length:][: expected.size], response.content[length:][expected.size :]
    assert (np.frombuffer(pixels, np.uint8).reshape(expected.shape) == expected).all()
    assert used["parameters"] == {"binary_data_size": len(rest)}
    assert (np.frombuffer(rest, np.float32) == bundled.embed(style)).all()
