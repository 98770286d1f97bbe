"""scripts/quantize_onnx.py: a pair in eight bits that stylize.py takes, and pictures near the float ones."""

import importlib.util
import json
import logging
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from src.deploy import quantize
from src.engines.choice import BUNDLED
from src.engines.onnxruntime import open_onnxruntime

PAIR = [BUNDLED.with_name(f"{BUNDLED.stem}_{part}.onnx") for part in ("predictor", "transfer")]

pytestmark = pytest.mark.skipif(importlib.util.find_spec("onnx") is None, reason="onnx is not installed")


@pytest.fixture(scope="module")
def pictures(root, tmp_path_factory):
    """32 crops of the test images."""
    folder = tmp_path_factory.mktemp("pictures")
    files = sorted((root / "dataset/test/content").glob("*.jpg"))
    for i in range(32):
        with Image.open(files[i % len(files)]) as image:
            image.crop((i, i, i + 200, i + 200)).save(folder / f"{i}.jpg")
    return folder


def run(root, *arguments):
    command = [sys.executable, "scripts/quantize_onnx.py", *map(str, arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def test_an_eight_bit_pair_is_smaller_and_near(root, pictures, tmp_path):
    target = tmp_path / "small_transfer.onnx"
    done = run(root, PAIR[1], target, "--content_path", pictures, "--style_path", pictures)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert target.stat().st_size < 0.6 * PAIR[1].stat().st_size
    small, plain = open_onnxruntime([tmp_path / "small_predictor.onnx", target]), open_onnxruntime(PAIR)
    image = np.random.default_rng(0).random((1, 3, 8, 8), np.float32).repeat(12, 2).repeat(12, 3)
    embedding = small.embed(image)
    assert np.array_equal(embedding, plain.embed(image))
    error = small.transfer(image, embedding) - plain.transfer(image, embedding)
    assert 0 < np.square(error).mean() < 10**-2.3
    described = json.loads((tmp_path / "small_transfer.onnx.json").read_text())
    assert described["precision"] == "int8" and described["file"] == target.name
    assert f"{described['quantization']['psnr_median']:.1f} dB" in done.stdout


def test_mistakes_are_named_before_anything_is_written(root, pictures, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    (few / "0.jpg").symlink_to(pictures / "0.jpg")
    target = tmp_path / "a_transfer.onnx"
    for arguments, message in (
        ((PAIR[1], tmp_path / "a.onnx", "--content_path", pictures, "--style_path", pictures), "_transfer.onnx"),
        ((PAIR[1], target, "--content_path", few, "--style_path", pictures), "content_path: "),
        ((tmp_path / "b_transfer.onnx", target, "--content_path", pictures, "--style_path", pictures), "no such file"),
    ):
        done = run(root, *arguments)
        assert done.returncode != 0 and message in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["few"]


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_the_root_logger_is_left_as_it_was(error, tmp_path, monkeypatch):
    """onnxruntime warns through the root logger, which belongs to the program that calls."""
    during = []

    def quantize_static(*_, **__):
        logging.warning("Please consider to run pre-processing before quantization.")
        during.extend(logging.getLogger().filters)
        if error:
            raise error

    monkeypatch.setattr("onnxruntime.quantization.quantize_static", quantize_static)
    before = [*logging.getLogger().filters]
    try:
        quantize._write(PAIR[1], tmp_path / "a.onnx", [])
    except RuntimeError:
        assert error
    assert logging.getLogger().filters == before != during
