"""Exports that can not be are refused in a line, and nothing is written when something is wrong."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest

import export as entry
from src.config import defaults, to_dict
from src.deploy import check, exporter, mindir
from src.deploy.parts import make_part
from src.errors import UserError, run_entry
from src.models.factory import create_model
from src.weights.native import save_checkpoint


def refused(settings, runtime, match):
    with pytest.raises(UserError, match=match):
        exporter.export(settings, runtime)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"file_format": "AIR", "dynamic": True}, "option dynamic: AIR takes fixed sizes only"),
        ({"file_format": "AIR"}, "option file_format: AIR can only be written on an Ascend device.*CPU"),
        ({"parts": "tiles", "dynamic": True}, "option parts: tiles are exported as ONNX with free sides"),
        ({"parts": "tiles", "file_format": "ONNX"}, "use --file_format ONNX --dynamic"),
        ({"file_name": "."}, "option file_name: found '.', expected the name of a file"),
    ],
)
def test_settings_are_refused_before_anything_is_loaded(options, match, export_settings, runtime, tmp_path):
    # so a checkpoint that isn't there goes unnoticed
    refused(replace(export_settings(**options), ckpt_path=str(tmp_path / "absent.ckpt")), runtime, match)
    assert not list(tmp_path.iterdir())


def test_the_ending_may_be_written_or_left_out(export_settings, tmp_path):
    for name in ("net", "net.onnx", "net.ONNX"):
        path = exporter.check_settings(export_settings(file_format="MINDIR", file_name=str(tmp_path / name)))
        assert path.name == f"{name}.mindir"
    assert exporter.check_settings(export_settings(file_name=str(tmp_path / "net.MindIR"))).name == "net.MindIR"


@pytest.mark.parametrize("existing", ["model.mindir", "model.mindir.json"])
def test_existing_files_stay_unless_overwrite(existing, export_settings, runtime, tmp_path):
    (tmp_path / existing).write_text("mine")
    refused(export_settings(parts="predictor"), runtime, f"{existing} exists already; add --overwrite")
    assert (tmp_path / existing).read_text() == "mine"
    exporter.export(export_settings(parts="predictor", overwrite=True), runtime)
    assert (tmp_path / existing).read_text(errors="replace") != "mine"


def test_a_folder_in_place_of_the_file(export_settings, runtime, tmp_path):
    (tmp_path / "model.mindir").mkdir()
    refused(export_settings(overwrite=True), runtime, "model.mindir is a folder")


def test_onnx_without_its_packages(export_settings, runtime, monkeypatch):
    monkeypatch.setattr(exporter.importlib.util, "find_spec", lambda name: None)
    refused(export_settings(file_format="ONNX"), runtime, "onnx and onnxruntime, not installed.*requirements-onnx.txt")


def test_a_checkpoint_of_another_kind(export_settings, runtime, tmp_path):
    path = tmp_path / "other.ckpt"
    save_checkpoint(path, {"a.weight": np.zeros(3, np.float32)}, {})
    refused(export_settings(ckpt_path=str(path)), runtime, "other.ckpt")
    assert list(tmp_path.iterdir()) == [path]


def test_a_statistics_predictor(export_settings, runtime, tmp_path):
    network = defaults(network={"width": 0.25, "predictor": "statistics"})["network"]
    model = create_model(network)
    with pytest.raises(UserError, match="option parts: the statistics predictor.*--parts transfer"):
        make_part(model, "fused")
    assert make_part(model, "transfer").cell is model.transfer
    path = tmp_path / "statistics.ckpt"
    save_checkpoint(path, model, {"network": to_dict(network)})
    refused(export_settings(ckpt_path=str(path)), runtime, "statistics predictor reads a loss network")


@pytest.mark.parametrize("wrong", [lambda y: y + 2e-4, lambda y: y * np.nan, lambda y: y[:, :, :-1]])
def test_a_graph_that_differs_is_not_kept(wrong, export_settings, runtime, tmp_path, monkeypatch):
    monkeypatch.setattr(mindir, "load", lambda path: lambda *arrays: wrong(np.zeros((1, 100), np.float32)[:, :, None]))
    monkeypatch.setattr(check, "reference", lambda *_: lambda *arrays: np.zeros((1, 100, 1), np.float32))
    refused(
        export_settings(parts="predictor"),
        runtime,
        "differs from the network by .*, allowed is 1e-04; no file was kept",
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("full", ["graph", "json"])
def test_a_full_disk_leaves_nothing(full, export_settings, runtime, tmp_path, monkeypatch, capsys):
    def no_space(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    dumps = json.dumps

    def no_space_for_a_file(*args, **named):  # json.dumps without an indent is for a checkpoint's checksum
        return no_space() if "indent" in named else dumps(*args, **named)

    monkeypatch.setattr(*(mindir, "write", no_space) if full == "graph" else (json, "dumps", no_space_for_a_file))
    assert run_entry(lambda _: exporter.export(export_settings(parts="predictor"), runtime), []) == 2
    line = capsys.readouterr().err
    assert "No space left" in line and "model.mindir" in line and line.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_mistake_is_one_line(tmp_path, capsys):
    assert run_entry(entry.main, ["--file_name", str(tmp_path / "m"), "--height", "30"]) == 2
    assert capsys.readouterr().err.startswith("error: option height: found 30")
    assert run_entry(entry.main, ["--parts", "half"]) == 2
    line = "error: option parts: found 'half', expected one of fused, predictor, transfer, tiles\n"
    assert capsys.readouterr().err == line
