"""Mistakes of the user in train.py: one line that names them, a status, and nothing half-written."""

import pytest
from PIL import Image
from tiny_runs import use_plain_steps

import train
from src.errors import run_entry


@pytest.fixture
def arguments(few_statistics, image_folders, loss_weights, tmp_path):
    """Function of options {name: value} laid over a run that would work; an option of None is left out."""

    def make(**changes):
        options = {
            "content_path": image_folders[0], "style_path": image_folders[1], "ckpt_path": loss_weights,
            "output_dir": tmp_path / "run", "predictor": "compact", "width": 0.25, "image_size": 32, "min_side": 32,
            "loss_network": "distilled_vgg19", "content_taps": "relu3_1=1", "style_taps": "relu1_1=1", "steps": 1,
            **changes,
        }  # fmt: skip
        return [str(part) for name, value in options.items() if value is not None for part in (f"--{name}", value)]

    return make


def folder(path, **images):
    path.mkdir()
    for name, size in images.items():
        Image.new("RGB", size, (90, 120, 60)).save(path / f"{name}.png")
    return path


def make_bad(case, tmp_path):
    """The options of a case, and what the error must name."""
    if case == "missing folder":
        return {"content_path": tmp_path / "nowhere"}, ("content_path", "nowhere")
    if case == "empty folder":
        return {"style_path": folder(tmp_path / "empty")}, ("style_path", "empty")
    if case == "nothing usable":
        bad = folder(tmp_path / "bad", dot=(1, 1), line=(12000, 8))
        (bad / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
        return {"content_path": bad}, ("content_path", "bad")
    if case == "wrong checkpoint":
        (tmp_path / "notes.ckpt").write_text("not a checkpoint")
        return {"init_ckpt": tmp_path / "notes.ckpt"}, ("notes.ckpt",)
    if case == "no loss network":
        return {"ckpt_path": folder(tmp_path / "none")}, ("distilled_vgg19", "--loss_network_ckpt")
    if case == "no inception":
        return {"predictor": "inception_v3"}, ("inceptionv3.ckpt", "--predictor compact")
    if case == "missing feature layer":
        return {"style_taps": "relu9_1=1"}, ("relu9_1", "relu5_1")
    if case == "output is a file":
        (tmp_path / "taken").write_text("")
        return {"output_dir": tmp_path / "taken" / "run"}, ("output_dir", "taken")
    if case == "missing device":
        return {"device_target": "GPU"}, ("device_target", "GPU", "CPU")
    if case == "unknown option":
        return {"stepz": 3}, ("stepz", "--help")
    if case == "wrong type":
        return {"batch_size": "four"}, ("batch_size", "four")
    assert case == "no steps"
    return {"save_every": 0}, ("save_every",)


@pytest.mark.parametrize(
    "case",
    [
        "missing folder", "empty folder", "nothing usable", "wrong checkpoint", "no loss network", "no inception",
        "missing feature layer", "output is a file", "missing device", "unknown option", "wrong type", "no steps",
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(case, arguments, run_entry_point, tmp_path):
    changes, names = make_bad(case, tmp_path)
    done = run_entry_point("train.py", *arguments(**changes))
    assert done.returncode == 2, done.stdout + done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in done.stderr, done.stderr
    for name in names:
        assert name in errors[0]
    assert not (tmp_path / "run").exists()


def test_one_pixel_and_very_long_images_are_skipped_by_name(arguments, tmp_path, monkeypatch, caplog):
    use_plain_steps(monkeypatch)
    contents = folder(tmp_path / "mixed", dot=(1, 1), usable=(64, 64), long=(12000, 80))
    (contents / "cut.png").write_bytes((contents / "usable.png").read_bytes()[:60])
    assert run_entry(train.main, arguments(content_path=contents)) == 0
    said = [record.getMessage() for record in caplog.records]
    assert any("2 content images" in line and "2 files skipped" in line for line in said)
    for name in ("dot.png", "cut.png"):
        assert sum("skipped" in line and name in line for line in said) == 1
    assert (tmp_path / "run" / "checkpoints" / "step_00000001.ckpt").is_file()
