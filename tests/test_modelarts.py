"""ModelArts' convention with a stand-in for moxing on folders, and the entry for MindSpore Hub."""

import importlib.util
import shutil
import sys
import types
from pathlib import Path

import pytest

import train
from src import modelarts
from src.config import parse
from src.errors import UserError, run_entry
from src.modelarts import ModelArtsOptions, on_modelarts
from src.sections import TRAINING_SECTIONS


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    """The folder that obs:// stands for, and the list of copies; the cache is a folder, too."""
    storage, copies = tmp_path / "obs", []
    (storage / "data/content").mkdir(parents=True)
    (storage / "data/style").mkdir()
    (storage / "data/vgg.ckpt").write_bytes(b"weights")

    def place(url):
        return str(storage / url.removeprefix("obs://")) if url.startswith("obs://") else url

    def copy_parallel(source, target):
        copies.append((source, target))
        shutil.copytree(place(source), place(target), dirs_exist_ok=True)

    module = types.ModuleType("moxing")
    module.__spec__ = importlib.util.spec_from_loader("moxing", None)
    module.file = types.SimpleNamespace(copy_parallel=copy_parallel, exists=lambda url: Path(place(url)).exists())
    monkeypatch.setitem(sys.modules, "moxing", module)
    monkeypatch.setattr(modelarts, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("RANK_ID", raising=False)
    monkeypatch.chdir(tmp_path)
    return storage, copies


def options(*argv):
    return parse(list(argv), TRAINING_SECTIONS, "", own=ModelArtsOptions)


def test_data_come_from_storage_and_results_go_there(cloud):
    storage, copies = cloud
    urls = ["--data_url", "obs://data", "--train_url", "obs://job/out"]
    with on_modelarts(options(*urls, "--loss_network_ckpt", "vgg.ckpt")) as found:
        assert Path(found.data.content_path).is_dir() and found.data.content_path.endswith("/content")
        assert Path(found.loss.loss_network_ckpt).read_bytes() == b"weights"
        output = Path(found.train.output_dir)
        (output / "checkpoints").mkdir()
        (output / "checkpoints/a.ckpt").write_bytes(b"1")
    assert (storage / "job/out/checkpoints/a.ckpt").read_bytes() == b"1"
    assert [source for source, _ in copies] == ["obs://data", str(output)]
    shutil.rmtree(output)  # a job that starts anew, on another machine
    with on_modelarts(options(*urls)) as found:
        assert (Path(found.train.output_dir) / "checkpoints/a.ckpt").exists()
    assert [source for source, _ in copies].count("obs://data") == 1


def test_results_are_kept_when_the_program_fails_and_other_ranks_copy_none(cloud, monkeypatch):
    storage, copies = cloud
    with pytest.raises(KeyboardInterrupt), on_modelarts(options("--train_url", "obs://job")) as found:
        (Path(found.train.output_dir) / "losses.csv").write_text("1")
        raise KeyboardInterrupt
    assert (storage / "job/losses.csv").exists()
    monkeypatch.setenv("RANK_ID", "1")
    before = len(copies)
    with on_modelarts(options("--train_url", "obs://job")) as other:
        assert other.train.output_dir == found.train.output_dir
    assert len(copies) == before


def test_folders_are_used_where_they_are(cloud):
    storage, copies = cloud
    argv = ["--data_url", str(storage / "data"), "--train_url", "out", "--content_path", "mine"]
    with on_modelarts(options(*argv)) as found:
        assert found.data.content_path == "mine" and found.data.style_path == str(storage / "data/style")
        assert found.train.output_dir == "out"
    with on_modelarts(options("--output_dir", "run")) as found:
        assert found.train.output_dir == "run"
    assert not copies


def test_mistakes_are_one_line_each(cloud, monkeypatch, capsys):
    with pytest.raises(UserError, match="copying obs://none"):
        modelarts.fetch("obs://none")
    assert run_entry(train.main, ["--data_url", "none"]) == 2
    assert "option data_url: none: no such folder" in capsys.readouterr().err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="moxing is not installed"):
        modelarts.fetch("obs://other")


def test_hub_gives_networks_by_name():
    from mindspore_hub_conf import create_network
    from src.engines.choice import BUNDLED_STYLES

    assert create_network("n_styles", ckpt_path=BUNDLED_STYLES).styles[0] == "burning_sky"
    model = create_network("single_style", styles=("a",), width=0.25)
    assert (model.network.width, model.styles) == (0.25, ("a",))
    with pytest.raises(NotImplementedError, match="resnet"):
        create_network("resnet50")
    for name, given, said in (
        ("n_styles", {}, "option styles"),
        ("n_styles", {"styles": ("a",), "widht": 1}, "widht"),
        ("arbitrary_style_transfer", {"ckpt_path": BUNDLED_STYLES}, "is of method n_styles"),
        ("n_styles", {"ckpt_path": BUNDLED_STYLES, "width": 1}, "option width"),
    ):
        with pytest.raises(UserError, match=said):
            create_network(name, **given)
