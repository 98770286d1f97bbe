"""Too little memory, and a reader of stdout that has gone: one line with the way out, never a traceback."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from half_networks import HalfNetworks
from PIL import Image

import eval as eval_entry
import export as export_entry
import stylize
from src import memory
from src.engines.exported import Graph
from src.errors import UserError, run_entry
from src.images import files as image_files
from src.images.files import read_image
from src.memory import lacks_memory, memory_for
from src.training import trainer
from src.video.failures import told


class OpenCVError(Exception):
    """As OpenCV makes it: a class of the module cv2 with a number."""

    code = -4


OpenCVError.__module__ = "cv2"


def numpy_error():
    try:
        np.empty((2**25, 2**25))
    except MemoryError as error:
        return error


SHORTAGES = [
    numpy_error(),
    MemoryError(),  # PIL
    OpenCVError("Insufficient memory"),
    OSError(12, "Cannot allocate memory"),
    RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 4096"),
    RuntimeError("Exception from src/inference/cpu.cpp: std::bad_alloc"),
    RuntimeError("Device(id:0) memory isn't enough and alloc failed, kernel name: Conv2D: Out of memory"),
]


@pytest.fixture
def files(image, tmp_path):
    """Two photographs in a folder and a style image: their paths as text."""
    (tmp_path / "photos").mkdir()
    paths = [tmp_path / "photos/a.png", tmp_path / "photos/b.png", tmp_path / "style.png"]
    for path, size in zip(paths, [(40, 50), (60, 80), (32, 32)], strict=True):
        Image.fromarray(image(*size)).save(path)
    return [str(path) for path in paths]


def one_line(capsys):
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and err.startswith("error: ")
    return err


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: type(error).__name__)
def test_a_program_that_lacks_memory_ends_with_a_line(error, capsys):
    def main(argv):
        raise error

    assert lacks_memory(error)
    assert run_entry(main, []) == 2
    assert "more memory than is free (" in (line := one_line(capsys)) and "close other programs" in line


def test_other_errors_are_no_lack_of_memory():
    for error in (ValueError("7"), OSError(2, "No such file"), UserError("photo: out of memory"), RuntimeError("NaN")):
        assert not lacks_memory(error)
        with pytest.raises(type(error)), memory_for("this", "smaller"):
            raise error


def test_a_picture_that_the_memory_does_not_hold_is_named_and_the_others_are_made(files, monkeypatch, capsys, tmp_path):
    class Small(HalfNetworks):
        def transfer(self, content, embedding):
            if content.shape[2] >= 60:
                raise MemoryError
            return super().transfer(content, embedding)

    monkeypatch.setattr("src.stylize.stylizer.open_networks", lambda *_: Small())
    arguments = [str(tmp_path / "photos"), files[2], "-o", str(tmp_path / "out"), "--engine", "onnxruntime"]
    code = run_entry(stylize.main, arguments)
    err = capsys.readouterr().err
    assert code == 2 and (tmp_path / "out/a.png").is_file() and not (tmp_path / "out/b.png").exists()
    assert f"error: {files[1]}: a picture of 80 x 60 pixels needs more memory" in err
    assert "--size" in err and "--tile" in err


def test_a_picture_that_can_not_be_read_for_lack_of_memory_is_not_called_damaged(files, monkeypatch, capsys):
    def decode(*_):
        raise MemoryError

    monkeypatch.setattr(image_files, "decode_parts", decode)
    monkeypatch.setattr(image_files, "decode", decode)
    with pytest.raises(UserError, match=r"a.png: needs more memory than is free .*give a smaller image"):
        read_image(files[0])
    code = run_entry(stylize.main, [files[0], files[2], "-o", files[0] + ".jpg", "--engine", "onnxruntime"])
    line = one_line(capsys)
    assert code == 2 and "needs more memory than is free" in line and "damaged" not in line


def test_an_engine_that_lacks_memory_does_not_blame_its_checkpoint():
    def run(_):
        raise RuntimeError("Failed to allocate memory for requested buffer of size 4096")

    graph = Graph(Path("model.onnx"), {"content": (1, 3, None, None)}, [(1, 3, None, None)], run, (RuntimeError,))
    with pytest.raises(MemoryError, match="4096"):
        graph(content=np.zeros((1, 3, 8, 8), np.float32))


def lack(*arguments, **named):
    raise MemoryError


def test_training_names_the_sizes_of_its_step(monkeypatch, tmp_path):
    monkeypatch.setattr(trainer, "_train", lack)
    options = SimpleNamespace(
        train=SimpleNamespace(format="ours", output_dir=str(tmp_path), sink_size=1, sink=False),
        data=SimpleNamespace(batch_size=8, image_size=256),
    )
    monkeypatch.setattr(trainer, "check_sink", lambda *_: None)
    with pytest.raises(UserError, match=r"batch_size: a step with 8 crops of 256 x 256 .*smaller --batch_size"):
        trainer.train(options, SimpleNamespace(is_main=True, device_target="CPU"))


@pytest.mark.parametrize(("size", "way_out"), [(0, "--image_size 512 or less"), (64, "--image_size 32 or less")])
def test_an_evaluation_names_the_option(size, way_out, files, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(eval_entry, "measure_method", lack)
    arguments = ["--content_path", files[0], "--style_path", files[2], "--output_path", str(tmp_path / "out")]
    arguments += ["--ckpt_path", "model.ckpt", "--image_size", str(size)]
    assert run_entry(eval_entry.main, arguments) == 2
    assert "option image_size: evaluating pictures of " in (line := one_line(capsys)) and way_out in line


def test_an_export_names_the_size(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("src.deploy.exporter.export", lack)
    arguments = ["--ckpt_path", "model.ckpt", "--file_format", "ONNX", "--file_name", str(tmp_path / "out")]
    assert run_entry(export_entry.main, [*arguments, "--height", "4096", "--width", "2048"]) == 2
    assert "4096 x 2048 pixels needs more memory" in (line := one_line(capsys)) and "smaller --height" in line


def test_a_video_names_the_size_of_its_frames():
    pytest.importorskip("av")
    with pytest.raises(UserError, match=r"clip.mp4: frames of 50 x 40 pixels need more memory.*smaller --size"):
        with told("clip.mp4", "out.mp4", (40, 50)):
            raise RuntimeError("std::bad_alloc")


@pytest.mark.parametrize("letters", [1, 10**6], ids=["at the end", "in the middle"])
def test_a_reader_that_has_gone_ends_a_program_without_a_traceback(letters, root):
    """`| head -1`: status 141, as of a program that SIGPIPE ends, and no line."""
    text = f"import sys; from src.errors import run_entry; sys.exit(run_entry(lambda _: print('x' * {letters})))"
    process = subprocess.Popen(
        [sys.executable, "-c", text], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert (process.wait(timeout=60), process.stderr.read()) == (141, "")


def test_help_that_nobody_reads_to_its_end_is_no_error(root):
    process = subprocess.Popen(
        [sys.executable, str(root / "stylize.py"), "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert (process.wait(timeout=60), process.stderr.read()) == (141, "")


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_AS"), reason="psutil knows no limits here")
def test_the_limit_of_the_process_itself_counts(root):
    """As by `ulimit -v`, in a process of its own."""
    limit = "psutil.Process().rlimit(psutil.RLIMIT_AS, (size + 2**28, -1))"
    program = f"import psutil; from src.memory import free_memory; size = psutil.Process().memory_info().vms; {limit}; "
    done = subprocess.run([sys.executable, "-c", program + "print(free_memory())"], cwd=root, capture_output=True)
    assert 0 < float(done.stdout) <= 2**28, done.stderr


@pytest.mark.parametrize(
    "machine, limit, used, expected",
    [
        (5_120_000, "max", "1100000", 5_120_000),
        (5_120_000, "4000000", "1100000", 3_000_000),
        (5_120_000, "4000000", "4200000", 0),
        (5_120_000, "9000000", "1000000", 5_120_000),
        (5_120_000, None, None, 5_120_000),
    ],
)
def test_free_memory_is_the_machines_or_the_containers(machine, limit, used, expected, tmp_path, monkeypatch):
    stat = "active_file 7\ninactive_file 100000\n"
    for name, text in (("limit", limit), ("used", used), ("memory.stat", stat)):
        if text is not None:
            (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=machine))
    for files in (0, 1):
        groups = [(tmp_path / "none", tmp_path / "none")] * 2
        groups[files] = (tmp_path / "limit", tmp_path / "used")
        monkeypatch.setattr(memory, "CONTAINERS", groups)
        assert memory.free_memory() == expected
