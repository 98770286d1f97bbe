"""The C++ example for MindSpore Lite, compiled and run against a stand-in for its headers."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled program; two empty files stand for the models."""
    compiler = shutil.which("g++")
    if not compiler:
        pytest.skip("needs g++")
    folder = tmp_path_factory.mktemp("cpp")
    source = ROOT / "deploy/mindspore_lite_cpp/style_transfer.cc"
    flags = ["-std=c++17", "-O0", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "tests/lite_stub"]
    subprocess.run([compiler, *flags, source, "-o", folder / "style_transfer"], check=True, timeout=120)
    for part in ("predictor", "transfer"):
        (folder / f"a_{part}.mindir").touch()
    return folder


def run(folder, *names):
    models = ["a_predictor.mindir", "a_transfer.mindir"]
    return subprocess.run([folder / "style_transfer", *models, *names], cwd=folder, capture_output=True, text=True)


# of the second the bottom and the right are padded, of the third more than once
@pytest.mark.parametrize("size", [(32, 48), (37, 50), (5, 17)])
def test_the_picture_is_padded_scaled_rounded_and_cut(size, program):
    random = np.random.default_rng(0)
    content = random.integers(0, 256, (*size, 3), np.uint8)
    style = random.integers(0, 256, (20, 24, 3), np.uint8)
    for name, image in (("content", content), ("style", style)):
        Image.fromarray(image).save(program / f"{name}.ppm")
    process = run(program, "content.ppm", "style.ppm", "out.ppm", "1")
    assert process.returncode == 0, process.stderr
    expected = content.astype(np.float64) * (style.mean() / 255)
    assert np.abs(np.asarray(Image.open(program / "out.ppm")) - expected).max() < 0.51


def test_mistakes_are_one_line(program):
    (program / "cut.ppm").write_bytes(b"P6\n8 8\n255\n123")
    (program / "text.ppm").write_bytes(b"no picture")
    assert "is cut off" in run(program, "cut.ppm", "cut.ppm", "out2.ppm").stderr
    process = run(program, "text.ppm", "text.ppm", "out2.ppm")
    assert process.returncode == 2 and "expected a binary PPM" in process.stderr
    assert run(program).returncode == 2 and not (program / "out2.ppm").exists()
