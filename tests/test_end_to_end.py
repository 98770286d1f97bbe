"""Train two steps, evaluate, stylise, export: the whole way, each step by its entry point."""

import csv
import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def trained(run_entry_point, loss_weights, image_folders, tmp_path_factory):
    output = tmp_path_factory.mktemp("end_to_end") / "run"
    content, style = image_folders
    done = run_entry_point(
        "train.py", "--config_path", "configs/compact.yaml", "--predictor", "compact", "--width", 0.25,
        "--content_path", content, "--style_path", style, "--ckpt_path", loss_weights, "--output_dir", output,
        "--image_size", 32, "--batch_size", 2, "--min_side", 32, "--steps", 2, "--image_every", 2, "--style_kinds", "",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return output / "checkpoints" / "step_00000002.ckpt"


def test_training_leaves_its_files(trained):
    output = trained.parent.parent
    assert {"losses.csv", "options.yaml", "grids", "checkpoints"} <= {p.name for p in output.iterdir()}
    grid = np.asarray(Image.open(output / "grids" / "step_00000002.png"))
    assert grid.std() > 20  # pictures, not one colour


def test_evaluation_takes_the_trained_checkpoint(trained, run_entry_point, image_folders, loss_weights, tmp_path):
    content, style = image_folders
    weights = loss_weights / "vgg19_distilled_16x.npz"
    done = run_entry_point(
        "eval.py", "--content_path", content, "--style_path", style, "--ckpt_path", trained, "--output_path", tmp_path,
        "--image_size", 48, "--loss_network", "distilled_vgg19", "--loss_network_ckpt", weights,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and all(float(row["style_left"]) > 0 for row in rows)
    assert Image.open(tmp_path / "content_0_style_0.png").size == (48, 48)


def test_stylize_and_exports_agree(trained, run_entry_point, image_folders, tmp_path):
    content, style = (sorted(folder.iterdir())[0] for folder in image_folders)
    done = run_entry_point("stylize.py", content, style, "-o", tmp_path / "out.png", "--checkpoint", trained)
    assert done.returncode == 0, done.stdout + done.stderr
    assert Image.open(tmp_path / "out.png").size == Image.open(content).size
    done = run_entry_point(
        "export.py", "--ckpt_path", trained, "--file_format", "MINDIR", "--file_name", tmp_path / "model",
        "--parts", "transfer", "--height", 32, "--width", 48,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    manifests = list(tmp_path.glob("*.json"))
    assert len(manifests) == 1
    assert json.loads(manifests[0].read_text())["check"]["max_difference"] <= 1e-4
