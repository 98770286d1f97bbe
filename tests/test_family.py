"""The methods of the family, by parameter: the same training, checkpoints, evaluation, export and command line."""

import csv
import shutil
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from tiny_runs import LOSS, RUNTIME

import eval as eval_entry
import stylize
from src import api
from src.config import defaults
from src.deploy.exporter import export
from src.errors import UserError, run_entry
from src.images.files import read_image, resize_short_side, to_network, write_image
from src.models.factory import create_model
from src.models.style_prediction import ROW_UNIT
from src.stylize.stylizer import Stylizer
from src.training.build import build_model, build_objective
from src.training.log import LossLog
from src.training.styles import whole_grams, with_new_rows
from src.training.trainer import train
from src.weights.load import load_model
from src.weights.native import read_checkpoint

NETWORKS = {
    "arbitrary": {"predictor": "compact"},
    "n_styles": {},
    "single_style": {"output": "linear", "conv_bias": True},
}
STYLES = {"arbitrary": (), "n_styles": ("style_0", "style_1", "style_2"), "single_style": ("style_1",)}
TABLES = ["n_styles", "single_style"]
STEPS, SAVED = 6, 4


@pytest.fixture(scope="module")
def options(few_statistics, loss_weights, image_folders):
    """Function of a method, an output folder and section={key: value}: the options of a tiny run."""

    def make(method, output, **sections):
        styles = image_folders[1] / "style_1.png" if method == "single_style" else image_folders[1]
        values = {
            "network": {"method": method, "width": 0.25, **NETWORKS.get(method, {})},
            "loss": LOSS,
            "data": {
                "content_path": str(image_folders[0]),
                "style_path": str(styles),
                "image_size": 32,
                "style_size": 48,
                "style_augment": method != "n_styles",
                "batch_size": 2,
                "min_side": 32,
            },
            "train": {
                "output_dir": str(output),
                "ckpt_path": str(loss_weights),
                "learning_rate": 0.01,
                "ema_decay": 0.5,
                "steps": STEPS,
                "save_every": SAVED,
                "image_every": 3,
                "log_every": 2,
            },
        }
        built = defaults(**{name: {**value, **sections.get(name, {})} for name, value in values.items()})
        return SimpleNamespace(**{name: built[name] for name in values})

    return make


@pytest.fixture(scope="module")
def written():
    """{method: first step and number of the rows that its run wrote at once to losses.csv}."""
    return {}


@pytest.fixture(scope="module")
def runs(options, tmp_path_factory, written):
    """Function of a method: the output folder of a tiny run of it, trained once."""
    done, write = {}, LossLog.write

    def of(method):
        if method not in done:
            done[method] = tmp_path_factory.mktemp(method)
            written[method] = []

            def noting(self, first_step, rates, rows):
                written[method].append((first_step, len(rows)))
                write(self, first_step, rates, rows)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(LossLog, "write", noting)
                assert train(options(method, done[method]), RUNTIME) == 0
        return done[method]

    return of


def checkpoint(run, step=STEPS):
    return run / "checkpoints" / f"step_{step:08d}.ckpt"


def losses(run):
    with open(run / "losses.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.parametrize("method", ["arbitrary", "n_styles"])  # a single style's run is a table of one row
def test_a_resumed_run_gives_the_same_losses_and_weights(method, runs, options, tmp_path):
    whole = runs(method)
    shutil.copytree(whole, tmp_path / "broken")
    for path in (tmp_path / "broken" / "checkpoints").glob(f"step_{STEPS:08d}*"):
        path.unlink()
    assert train(options(method, tmp_path / "broken"), RUNTIME) == 0
    assert len(losses(whole)) == STEPS
    assert losses(tmp_path / "broken") == losses(whole)
    first, second = (read_checkpoint(checkpoint(run))[0] for run in (whole, tmp_path / "broken"))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert (whole / "grids" / f"step_{STEPS:08d}.png").is_file()


def test_pictures_checkpoints_and_lines_come_when_they_are_due(runs, written):
    assert sorted(path.name for path in (runs("n_styles") / "grids").iterdir()) == [
        "step_00000003.png",
        "step_00000006.png",
    ]
    names = {path.name.split(".")[0] for path in (runs("n_styles") / "checkpoints").iterdir()}
    assert names == {"step_00000004", "step_00000006"}
    # after the first step, the second, the fourth and the last
    assert written["n_styles"] == [(1, 1), (2, 1), (3, 2), (5, 2)]


@pytest.mark.parametrize("method", NETWORKS)
def test_the_checkpoint_says_its_method_and_styles(method, runs):
    model = load_model(checkpoint(runs(method)))
    assert model.network.method == method
    assert model.styles == STYLES[method]
    start = np.repeat((1.0 / ROW_UNIT, 0.0), model.transfer.embedding_dim // 2)
    rows = [row.asnumpy() for row in getattr(model.predictor, "rows", ())]
    assert all(np.abs(row - start).max() > 1e-3 for row in rows), "a row was not trained"
    assert len({row.tobytes() for row in rows}) == len(model.styles)


@pytest.mark.parametrize("method", NETWORKS)
def test_evaluates_with_its_own_styles(method, runs, image_folders, tmp_path, capsys):
    styles = image_folders[1] / "style_1.png" if method == "single_style" else image_folders[1]
    arguments = ["--ckpt_path", checkpoint(runs(method)), "--content_path", image_folders[0], "--style_path", styles]
    arguments += ["--output_path", tmp_path / "out", "--interpolation", 2, "--image_size", 32]
    assert run_entry(eval_entry.main, list(map(str, arguments))) == 0, capsys.readouterr().err
    with open(tmp_path / "out" / "metrics.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4 * max(1, len(STYLES[method]) or 3)
    strips = sorted(path.name for path in (tmp_path / "out" / "interpolation").glob("content_0_*"))
    between = ["content_0_style_0_to_style_1.png", "content_0_style_1_to_style_2.png"]
    own = [f"content_0_style_{i}.png" for i in range(3)]
    assert strips == {"arbitrary": sorted(own + between), "n_styles": between, "single_style": []}[method]


def test_evaluation_of_a_style_that_the_model_lacks_is_refused(runs, image_folders, tmp_path, capsys):
    write_image(tmp_path / "other.png", read_image(image_folders[1] / "style_0.png"))
    arguments = ["--ckpt_path", checkpoint(runs("n_styles")), "--content_path", image_folders[0]]
    arguments += ["--style_path", tmp_path / "other.png", "--output_path", tmp_path / "out"]
    assert run_entry(eval_entry.main, list(map(str, arguments))) == 2
    assert "no style 'other'; it has style_0, style_1, style_2" in capsys.readouterr().err


@pytest.mark.parametrize("file_format", ["ONNX", "MINDIR"])
@pytest.mark.parametrize("method", TABLES)
def test_exported_pairs_stylise_as_the_checkpoint_does(method, file_format, runs, models, tmp_path, image):
    if file_format == "ONNX":
        pytest.importorskip("onnxruntime")
    path = str(checkpoint(runs(method)))
    for part in ("predictor", "transfer", *(["tiles"] if file_format == "ONNX" else [])):
        setting = {"ckpt_path": path, "file_name": str(tmp_path / f"m_{part}"), "parts": part, "dynamic": True}
        manifest = export(defaults(export={**setting, "file_format": file_format})["export"], RUNTIME)
        assert manifest["styles"] == list(STYLES[method])
    engine = {"ONNX": "onnxruntime", "MINDIR": "mindir"}[file_format]
    exported = Stylizer.open(str(tmp_path / f"m_transfer.{file_format.lower()}"), engine=engine)
    reference = models(method)
    assert exported.styles == reference.styles == STYLES[method]
    assert exported.networks.can_tile == (file_format == "ONNX")
    content, last = image(50, 70, 1), len(STYLES[method]) - 1
    blend = {0: 0.25, last: 0.75} if last else 0
    ours, theirs = (s.stylize(content, s.embed(blend)) for s in (exported, reference))
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert not np.array_equal(theirs, content)


@pytest.mark.parametrize("file_format", ["ONNX", "MINDIR"])
@pytest.mark.parametrize("method", TABLES)
def test_fused_graphs_take_weights_of_the_styles_or_the_content_alone(method, file_format, runs, tmp_path):
    if file_format == "ONNX":
        pytest.importorskip("onnxruntime")
    setting = {"ckpt_path": str(checkpoint(runs(method))), "file_name": str(tmp_path / "fused"), "parts": "fused"}
    sides = {"height": 32, "width": 40} if file_format == "MINDIR" else {"dynamic": True}
    manifest = export(defaults(export={**setting, **sides, "file_format": file_format})["export"], RUNTIME)
    assert manifest["check"]["max_difference"] < 1e-4
    names = {"n_styles": ["content", "weights"], "single_style": ["content"]}
    assert [entry["name"] for entry in manifest["inputs"]] == names[method]


@pytest.fixture(scope="module")
def models(runs):
    """Function of a method: its run's model for stylising, compiled once."""
    loaded = {}

    def of(method):
        if method not in loaded:
            loaded[method] = api.build_model(str(checkpoint(runs(method))))
        return loaded[method]

    return of


@pytest.fixture
def call(runs, models, tmp_path, image, capsys, monkeypatch):
    """Function of a method and arguments that runs stylize.py on photo.png with its checkpoint: code and error."""
    write_image(tmp_path / "photo.png", image(48, 64, 0))
    write_image(tmp_path / "painting.png", image(48, 64, 1))
    monkeypatch.chdir(tmp_path)

    def run(method, *arguments):
        networks = models(method).networks  # loaded before what loads them is replaced
        monkeypatch.setattr("src.stylize.stylizer.open_networks", lambda *_: networks)
        line = ["photo.png", *map(str, arguments), "-o", "out.png", "--overwrite"]
        code = run_entry(stylize.main, [*line, "--checkpoint", str(checkpoint(runs(method)))])
        return code, capsys.readouterr().err

    return run


def test_a_style_is_picked_by_name_or_number(call, models, tmp_path):
    model, pictures = models("n_styles"), []
    for style in ("style_2", "2", "0"):
        assert call("n_styles", "--style", style) == (0, "")
        pictures.append(read_image(tmp_path / "out.png"))
    assert (pictures[0] == pictures[1]).all() and (pictures[0] != pictures[2]).any()
    assert (api.predict(model, tmp_path / "photo.png", "style_2") == pictures[0]).all()
    several = api.predict(model, [tmp_path / "photo.png", read_image(tmp_path / "photo.png")], 0)
    assert all((picture == pictures[2]).all() for picture in several)


def test_a_network_of_a_single_style_needs_no_choice(call, models, tmp_path):
    assert call("single_style") == (0, "")
    assert (api.predict(models("single_style"), tmp_path / "photo.png") == read_image(tmp_path / "out.png")).all()


def test_blends_are_means_of_rows(call, models, tmp_path):
    assert call("n_styles", "--style_weights", "style_0=0.7,style_2=0.3") == (0, "")
    blended = read_image(tmp_path / "out.png")
    assert call("n_styles", "--styles", "0", "style_2", "--style_weights", 0.7, 0.3) == (0, "")
    assert (read_image(tmp_path / "out.png") == blended).all()
    model = models("n_styles")
    rows = [model.embed(name) for name in ("style_0", "style_2")]
    expected = model.stylize(read_image(tmp_path / "photo.png"), 0.7 * rows[0] + 0.3 * rows[1])
    assert np.abs(blended.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    "method, styles, shape",
    [
        ("n_styles", ["style_0", "style_2"], (48, 3 * 64 + 8, 3)),
        ("arbitrary", ["painting.png", "photo.png", "photo.png", "painting.png"], (3 * 48 + 8, 3 * 64 + 8, 3)),
    ],
)
def test_sheets_of_blends_begin_and_end_with_the_styles(call, tmp_path, method, styles, shape):
    assert call(method, "--styles", *styles, "--blend_steps", 3) == (0, "")
    sheet = read_image(tmp_path / "out.png")
    assert sheet.shape == shape
    for style, corner in ((styles[0], sheet[:48, :64]), (styles[-1], sheet[-48:, -64:])):
        assert call(method, *(["--style"] if method == "n_styles" else []), style) == (0, "")
        assert (read_image(tmp_path / "out.png") == corner).all()


@pytest.mark.parametrize(
    "method, arguments, naming",
    [
        ("n_styles", (), ["option style", "style_0, style_1, style_2"]),
        ("n_styles", ("--style", "style_9"), ["style_9", "0 style_0, 1 style_1, 2 style_2"]),
        ("n_styles", ("--style", "3"), ["'3'", "2 style_2"]),
        ("n_styles", ("painting.png",), ["painting.png", "--style"]),
        ("n_styles", ("--style_weights", "style_0=0.7,style_2=0.2"), ["style_0=0.7, style_2=0.2", "sum 0.9"]),
        ("n_styles", ("--style_weights", "style_0=1.5,style_2=-0.5"), ["style_2=-0.5", "from 0"]),
        ("n_styles", ("--style_weights", "style_0=0.5,0=0.5"), ["twice"]),
        ("n_styles", ("--styles", "1", "1"), ["twice"]),
        ("n_styles", ("--styles", "0", "1", "--style_weights", "1"), ["1 for 2 styles"]),
        ("n_styles", ("--style", "0", "--style_weights", "style_0=1"), ["more than one"]),
        ("n_styles", ("--style", "0", "--strength", "0.5", "--strength_by", "embedding"), ["strength_by", "pixels"]),
        ("n_styles", ("--style", "0", "--blend_steps", "5"), ["blend_steps", "1 style,", "2 for a strip or 4"]),
        ("n_styles", ("--styles", "0", "1", "--blend_steps", "1"), ["blend_steps", "found 1"]),
        ("n_styles", ("--styles", "0", "1", "--style_weights", "1", "0", "--blend_steps", "3"), ["blend_steps"]),
        ("single_style", ("--style", "other"), ["'other'", "0 style_1"]),
        ("arbitrary", ("--style", "style_0"), ["option style", "images"]),
        ("arbitrary", ("--style_weights", "a=0.5,b=0.5"), ["option style_weights", "images"]),
        ("arbitrary", (), ["option styles", "no style image"]),
    ],
)
def test_styles_that_can_not_be_picked_are_one_line(call, tmp_path, method, arguments, naming):
    code, error = call(method, *arguments)
    assert code == 2 and len(error.splitlines()) == 1, error
    assert not (tmp_path / "out.png").exists()
    for text in naming:
        assert text in error


def test_a_new_row_starts_as_the_mean_of_those_there():
    model = create_model(defaults(network={"method": "n_styles", "width": 0.25})["network"], styles=("a", "b", "c"))
    known = {"predictor.row0": np.array([1.0, 4.0]), "predictor.row1": np.array([2.0, -4.0]), "transfer": np.ones(3)}
    found = with_new_rows(known, model)
    assert found.pop("predictor.row2").tolist() == [1.5, 0.0] and found == known


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_added_styles_train_their_own_rows_alone(optimizer, runs, options, image_folders, tmp_path, image):
    more = tmp_path / "more"
    shutil.copytree(image_folders[1], more)
    write_image(more / "a_new one.png", image(60, 60, 9))  # sorted before the others, but its row comes after theirs
    known = checkpoint(runs("n_styles"))
    settings = {"data": {"style_path": str(more)}, "train": {"init_ckpt": str(known), "optimizer": optimizer}}
    assert train(options("n_styles", tmp_path / "run", **settings), RUNTIME) == 0
    before, after = read_checkpoint(known), read_checkpoint(checkpoint(tmp_path / "run"))
    assert after[1]["styles"] == [*STYLES["n_styles"], "a_new_one"]
    assert all(np.array_equal(array, after[0][name]) for name, array in before[0].items())
    mean = np.mean([before[0][f"predictor.row{i}"] for i in range(3)], axis=0)
    assert np.abs(after[0]["predictor.row3"] - mean).max() > 1e-3
    values = {name: len({row[name] for row in losses(tmp_path / "run")}) for name in ("total", "style")}
    assert values == {"total": STEPS, "style": STEPS}
    with pytest.raises(UserError, match="cannot resume from .*its styles are style_0.*a_new_one.*--init_ckpt"):
        train(options("n_styles", tmp_path / "run", train={"steps": STEPS + 1, "optimizer": optimizer}), RUNTIME)


def test_without_augmentation_styles_are_compared_whole_and_once(options, image_folders, image, tmp_path):
    built = options("n_styles", tmp_path)
    files, styles = sorted(image_folders[1].iterdir()), ("missing", *STYLES["n_styles"])
    objective, _, _ = build_objective(built, build_model(built.network, built.loss, built.train, styles), RUNTIME)
    content = ms.Tensor(to_network(image(32, 32, 7)))
    whole = [ms.Tensor(to_network(resize_short_side(read_image(path), 48))) for path in files]
    seen = [objective.targets(content, style, ms.Tensor([[0.0, 0, 0, 0]])) for style in whole]
    objective.remember(whole_grams(objective, built.loss, files, styles, 48))
    picks = np.eye(4, dtype=np.float32)[1:]
    known = objective.targets(content, None, ms.Tensor(picks))
    for tap, grams in enumerate(known[1]):
        for i, target in enumerate(seen):
            np.testing.assert_allclose(grams[i].asnumpy(), target[1][tap].asnumpy()[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(known[2].asnumpy(), picks)
    assert not objective.grams[0].asnumpy()[0].any()


def bad_runs(tmp_path, image_folders, image):
    """{what is wrong: (method, sections of options, text of the error)}."""
    twins, damaged = tmp_path / "twins", tmp_path / "damaged"
    for name in ("a b.png", "a_b.png"):
        write_image(twins / name, image(48, 48, 1))
    write_image(damaged / "whole.png", image(48, 48, 1))
    (damaged / "broken.png").write_bytes((damaged / "whole.png").read_bytes()[:2000] + b"IEND")
    teacher = {"train": {"distill_from": str(image_folders[0])}}
    return {
        "two styles": ("single_style", {"data": {"style_path": str(image_folders[1])}}, "found 3 style images"),
        "same names": ("n_styles", {"data": {"style_path": str(twins)}}, "both be style 'a_b'"),
        "damaged": ("n_styles", {"data": {"style_path": str(damaged)}}, "broken.png"),
        "teacher": ("n_styles", {**teacher, "data": {"style_size": 0}}, "option distill_from: method n_styles"),
        "sizes": ("arbitrary", teacher, "option style_size: found 48"),
        "negative": ("n_styles", {"data": {"style_size": -1}}, "option style_size: found -1"),
        "optimize": ("optimize", {}, "option method: optimize"),
    }


@pytest.mark.parametrize("case", ["two styles", "same names", "damaged", "teacher", "sizes", "negative", "optimize"])
def test_what_can_not_be_trained_is_refused(case, options, image_folders, tmp_path, image):
    method, sections, text = bad_runs(tmp_path, image_folders, image)[case]
    with pytest.raises(UserError, match=text):
        train(options(method, tmp_path / "run", **sections), RUNTIME)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("found, wanted", [("n_styles", "single_style"), ("arbitrary", "n_styles")])
def test_starting_from_another_method_is_refused(found, wanted, runs, options, tmp_path):
    start = {"train": {"init_ckpt": str(checkpoint(runs(found)))}}
    with pytest.raises(UserError, match=f"was trained with method '{found}', the options say '{wanted}'"):
        train(options(wanted, tmp_path / "run", **start), RUNTIME)
