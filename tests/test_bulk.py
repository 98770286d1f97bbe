"""Very many pictures: shards, what a worker does with a batch, failures, and the program itself where Ray is."""

import importlib.util
import runpy
from pathlib import Path

import numpy as np
import pytest

from src.config import defaults
from src.errors import UserError, run_entry
from src.images.files import read_image, write_image
from src.shards import read_shard, shard_folder, take_shard
from src.stylize.bulk import Worker, prepare_choice, remove_leftovers, to_row, write_failures
from src.stylize.jobs import plan_jobs
from src.stylize.stylizer import Stylizer

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path):
    """Five contents, one of them damaged, and a style image."""
    random = np.random.default_rng(0)
    for i in range(4):
        write_image(tmp_path / f"in/{i}.png", random.integers(0, 255, (64, 72, 3), np.uint8))
    (tmp_path / "in/broken.png").write_bytes(b"no picture")
    write_image(tmp_path / "style.png", random.integers(0, 255, (64, 64, 3), np.uint8))
    return tmp_path


def rows(jobs):
    return {name: np.array([to_row(job)[name] for job in jobs]) for name in ("content", "output")}


def test_shards_together_are_the_list_and_each_item_is_in_one(monkeypatch):
    items = list(range(7))
    assert sorted(sum((take_shard(items, f"{i}/3") for i in range(3)), [])) == items
    assert take_shard(items, "") == items and read_shard("1/3") == (1, 3)
    monkeypatch.setenv("RANK_ID", "1")
    monkeypatch.setenv("RANK_SIZE", "2")
    assert take_shard(items, "rank") == [1, 3, 5] and shard_folder("out", "rank") == Path("out/shard_1_of_2")
    monkeypatch.delenv("RANK_ID")
    for text in ("rank", "2/2", "a/2", "1", "-1/2"):
        with pytest.raises(UserError, match="option shard: found"):
            read_shard(text)
    with pytest.raises(UserError, match="fewer shards"):
        take_shard([1], "1/2")


def test_a_shard_stays_the_same_when_some_of_it_is_done(folder):
    out = str(folder / "out")
    first, _ = plan_jobs([str(folder / "in")], out, False, shard="0/2")
    write_image(first[1].output, np.zeros((8, 8, 3), np.uint8))
    left, done = plan_jobs([str(folder / "in")], out, False, shard="0/2")
    other, _ = plan_jobs([str(folder / "in")], out, False, shard="1/2")
    assert [*left, *done] == [first[0], first[2], first[1]] and not {*first} & {*other}
    assert len(first) + len(other) == 5


def test_a_worker_makes_what_is_missing_and_names_what_fails(folder):
    pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")
    values = defaults(stylize={"engine": "onnxruntime"})
    jobs, _ = plan_jobs([str(folder / "in")], str(folder / "out"), False)
    choice = prepare_choice(str(folder / "style.png"), values["stylize"])
    worker = Worker(values["stylize"], values["runtime"], choice)
    kept = np.full((8, 8, 3), 7, np.uint8)
    write_image(jobs[0].output, kept)
    said = worker(rows(jobs))
    assert [bool(error) for error in said["error"]] == [job.content.stem == "broken" for job in jobs]
    assert np.array_equal(read_image(jobs[0].output), kept)
    stylizer = Stylizer.open(engine="onnxruntime")
    expected = stylizer.stylize(read_image(jobs[1].content), stylizer.embed(read_image(folder / "style.png")))
    assert np.array_equal(read_image(jobs[1].output), expected)


def test_failures_are_listed_and_leftovers_go(folder):
    path = write_failures(folder, {"b.png": "x, y", "a.png": "z"})
    assert path.read_text().splitlines() == ["content,error", "a.png,z", 'b.png,"x, y"']
    assert write_failures(folder, {}) is None and not path.exists()
    (folder / "in/.tmp-1-a.png").write_bytes(b"half")
    remove_leftovers(folder)
    assert not (folder / "in/.tmp-1-a.png").exists() and (folder / "in/0.png").exists()


def test_without_ray_the_program_says_what_to_install(folder, capsys, monkeypatch):
    main = runpy.run_path(str(ROOT / "scripts/bulk.py"))["main"]
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find(name))
    assert run_entry(main, [str(folder / "in"), str(folder / "style.png"), "-o", str(folder / "out")]) == 2
    assert "requirements-bulk.txt" in capsys.readouterr().err


def test_the_program_makes_all_lists_failures_and_goes_on(folder, capsys):
    pytest.importorskip("ray", reason="needs requirements-bulk.txt")
    main = runpy.run_path(str(ROOT / "scripts/bulk.py"))["main"]
    argv = [str(folder / "in"), str(folder / "style.png"), "-o", str(folder / "out"), "--engine", "onnxruntime"]
    assert run_entry(main, [*argv, "--workers", "2", "--batch", "2"]) == 2
    assert "broken.png" in (folder / "out/failures.csv").read_text()
    assert len(list((folder / "out").glob("*.png"))) == 4
    (folder / "in/broken.png").unlink()
    assert run_entry(main, argv) == 0
    assert "0 pictures to make, 4 are there" in capsys.readouterr().out
    assert not (folder / "out/failures.csv").exists()
