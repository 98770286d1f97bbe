"""The sample images that come with the project, and the script that draws the style images."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "dataset"))

import make_styles  # noqa: E402

CONTENT = sorted((ROOT / "dataset/test/content").iterdir())
STYLE = sorted((ROOT / "dataset/test/style").iterdir())


def test_there_are_six_of_each_and_they_are_small():
    assert len(CONTENT) >= 6 and len(STYLE) >= 6
    assert all(min(Image.open(path).size) <= 512 for path in CONTENT + STYLE)
    assert sum(path.stat().st_size for path in CONTENT + STYLE) < 2 * 2**20


@pytest.mark.parametrize("path", CONTENT, ids=lambda path: path.name)
def test_every_photograph_has_its_licence_stated(path):
    lines = (ROOT / "dataset/README.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith(f"| `{path.name}`"))
    assert "CC0" in row or "public domain" in row


def test_the_script_draws_every_style_image_that_is_shipped():
    assert {path.stem for path in STYLE} == set(make_styles.STYLES)


@pytest.mark.parametrize("name", ["washes", "wave_print"])  # the quick ones; each of the others takes seconds
def test_the_same_seed_draws_the_picture_that_is_shipped(name):
    drawn = make_styles.draw(name)
    shipped = np.asarray(Image.open(ROOT / f"dataset/test/style/{name}.jpg"))
    assert drawn.shape == shipped.shape
    assert np.abs(drawn.astype(int) - shipped).mean() < 6  # JPEG
    assert np.abs(make_styles.draw(name, seed=2).astype(int) - shipped).mean() > 10
