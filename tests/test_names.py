"""File names that are no text, or that the terminal's encoding lacks: used as they are, escaped where shown."""

import csv
import io
import json
import logging
import os
import shutil
import sys

import numpy as np
import pytest

from src.data.scan import scan_folder, style_weights
from src.errors import run_entry
from src.evaluation.pairs import write_table
from src.files import write_json
from src.images.files import write_image

LATIN = os.fsdecode(b"caf\xe9")  # "café" in Latin-1, which is no UTF-8
CHINESE = "照片"


@pytest.fixture
def folder(tmp_path):
    """A folder with such a name; where the file system refuses that, the test is skipped."""
    path = tmp_path / LATIN
    try:
        path.mkdir()
    except OSError as error:
        pytest.skip(f"this file system refuses names that are no text: {error}")
    return path


@pytest.mark.parametrize("encoding, shown", [("ascii", r"\u7167\u7247 caf\udce9"), ("utf-8", rf"{CHINESE} caf\udce9")])
def test_terminals_show_every_name(monkeypatch, encoding, shown):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding))

    def main(_):
        log = logging.StreamHandler(sys.stdout)
        print(CHINESE, LATIN)
        log.emit(logging.makeLogRecord({"msg": f"{CHINESE} {LATIN}"}))

    assert run_entry(main, []) == 0
    texts = []
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(encoding))
    assert texts == [f"{shown}\n{shown}\n", ""]


def test_a_folder_is_stylised_to_its_end(run_entry_point, folder, root, image):
    """Contents, style, output and exported files; a terminal that shows ASCII alone."""
    names = [f"{LATIN}.png", f"{CHINESE}.png"]
    for name in names:
        write_image(folder / "photos" / name, image(40, 48, 0))
    write_image(folder / f"{LATIN}.png", image(40, 48, 1))
    for path in (root / "pretrained_model").glob("arbitrary_compact_*.onnx*"):
        shutil.copy(path, folder)
    done = run_entry_point(
        "stylize.py", folder / "photos", folder / f"{LATIN}.png", "-o", folder / "out", "--engine", "onnxruntime",
        "--checkpoint", folder / "arbitrary_compact_transfer.onnx", PYTHONIOENCODING="ascii",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.rpartition("/")[2] for line in done.stdout.splitlines()] == [r"caf\udce9.png", r"\u7167\u7247.png"]
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(names)


def test_tables_and_json_hold_every_name(folder):
    write_table(folder / "metrics.csv", [{"content": f"{LATIN}.png", "style": CHINESE, "ssim": 0.5}])
    with open(folder / "metrics.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["content", "style", "ssim"], [r"caf\udce9.png", CHINESE, "0.5"]]
    write_json(folder / "model.json", {"styles": [LATIN, CHINESE]})
    text = (folder / "model.json").read_text(encoding="utf-8")
    assert CHINESE in text and json.loads(text) == {"styles": [LATIN, CHINESE]}


def test_the_table_of_kinds_may_be_in_another_encoding(folder):
    write_image(folder / "style" / f"{LATIN}.png", np.zeros((20, 20, 3), np.uint8))
    write_image(folder / "style" / "other.png", np.zeros((20, 20, 3), np.uint8))
    (folder / "style" / "SOURCES.csv").write_bytes(b"file,kind\ncaf\xe9.png,painting\nother.png,texture\n")
    files, _ = scan_folder(folder / "style", "style_path", 16)
    assert style_weights(files, folder / "style", {"painting": 2.0}) == [2.0, 1.0]


def test_mindir_files_are_read_by_every_name(folder):
    import mindspore as ms

    from src.deploy.mindir import load

    array = np.array([[-1.0, 2.0]], np.float32)
    plain = folder.parent / "graph.mindir"
    ms.export(ms.nn.ReLU(), ms.Tensor(array), file_name=str(plain), file_format="MINDIR")
    shutil.copy(plain, folder / f"{LATIN}.mindir")
    assert load(folder / f"{LATIN}.mindir")(array).tolist() == [[0.0, 2.0]]
