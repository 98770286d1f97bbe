"""Train two steps, evaluate, stylise, export: the whole way, each step by its entry point."""

import csv
import json

import numpy as np
import onnxruntime
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
    """The exported graph, run by ONNX Runtime as its JSON says, makes the picture that stylize.py makes."""
    content, style = (sorted(folder.iterdir())[0] for folder in image_folders)
    done = run_entry_point("stylize.py", content, style, "-o", tmp_path / "out.png", "--checkpoint", trained)
    assert done.returncode == 0, done.stdout + done.stderr
    pastiche = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    assert pastiche.shape == (96, 128, 3) and pastiche.std() > 5
    picture = Image.open(style)
    size = tuple(round(side * 256 / min(picture.size)) for side in picture.size)
    done = run_entry_point(
        "export.py", "--ckpt_path", trained, "--file_format", "ONNX", "--file_name", tmp_path / "model",
        "--parts", "fused", "--height", 96, "--width", 128, "--style_height", size[1], "--style_width", size[0],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((tmp_path / "model.onnx.json").read_text())
    assert manifest["check"]["max_difference"] <= 1e-4
    arrays = [Image.open(content), picture.resize(size, Image.Resampling.LANCZOS)]
    arrays = [np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255 for image in arrays]
    names = [port["name"] for port in manifest["inputs"]]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (exported,) = session.run(None, dict(zip(names, arrays, strict=True)))
    exported = np.rint(exported[0].transpose(1, 2, 0) * 255)
    assert np.abs(exported - pastiche).max() <= 1
    # another style makes another picture, so that agreeing says something
    (other,) = session.run(None, dict(zip(names, [arrays[0], arrays[1][:, :, ::-1] ** 3], strict=True)))
    assert np.abs(np.rint(other[0].transpose(1, 2, 0) * 255) - pastiche).max() > 1
