"""The methods of the family train alike: resuming, checkpoints, styles that are added, and refusals."""

import shutil

import mindspore as ms
import numpy as np
import pytest
from family_runs import NETWORKS, STEPS, STYLES, checkpoint, losses
from tiny_runs import RUNTIME

from src.config import defaults
from src.errors import UserError
from src.images.files import read_image, resize_short_side, to_network, write_image
from src.models.factory import create_model
from src.models.style_prediction import ROW_UNIT
from src.training.build import build_objective
from src.training.first_weights import build_model
from src.training.styles import whole_grams, with_new_rows
from src.training.trainer import train
from src.weights.load import load_model
from src.weights.native import read_checkpoint


@pytest.mark.parametrize("method", ["arbitrary", "n_styles"])  # a single style's run is a table of one row
def test_a_resumed_run_gives_the_same_losses_and_weights(method, family_runs, family_options, tmp_path):
    whole = family_runs(method)
    shutil.copytree(whole, tmp_path / "broken")
    for path in (tmp_path / "broken" / "checkpoints").glob(f"step_{STEPS:08d}*"):
        path.unlink()
    assert train(family_options(method, tmp_path / "broken"), RUNTIME) == 0
    assert len(losses(whole)) == STEPS
    assert losses(tmp_path / "broken") == losses(whole)
    first, second = (read_checkpoint(checkpoint(run))[0] for run in (whole, tmp_path / "broken"))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert (whole / "grids" / f"step_{STEPS:08d}.png").is_file()


def test_pictures_checkpoints_and_lines_come_when_they_are_due(family_runs, family_lines):
    assert sorted(path.name for path in (family_runs("n_styles") / "grids").iterdir()) == [
        "step_00000003.png",
        "step_00000006.png",
    ]
    names = {path.name.split(".")[0] for path in (family_runs("n_styles") / "checkpoints").iterdir()}
    assert names == {"step_00000004", "step_00000006"}
    # after the first step, the second, the fourth and the last
    assert family_lines["n_styles"] == [(1, 1), (2, 1), (3, 2), (5, 2)]


@pytest.mark.parametrize("method", NETWORKS)
def test_a_run_compiles_its_step_once(method, family_runs, family_compilations):
    """Through six batches, two checkpoints, and two previews, whose networks are compiled in between."""
    family_runs(method)
    assert family_compilations[method] == 1


@pytest.mark.parametrize("method", NETWORKS)
def test_the_checkpoint_says_its_method_and_styles(method, family_runs):
    model = load_model(checkpoint(family_runs(method)))
    assert model.network.method == method
    assert model.styles == STYLES[method]
    start = np.repeat((1.0 / ROW_UNIT, 0.0), model.transfer.embedding_dim // 2)
    rows = [row.asnumpy() for row in getattr(model.predictor, "rows", ())]
    assert all(np.abs(row - start).max() > 1e-3 for row in rows), "a row was not trained"
    assert len({row.tobytes() for row in rows}) == len(model.styles)


def test_a_new_row_starts_as_the_mean_of_those_there():
    model = create_model(defaults(network={"method": "n_styles", "width": 0.25})["network"], styles=("a", "b", "c"))
    known = {"predictor.row0": np.array([1.0, 4.0]), "predictor.row1": np.array([2.0, -4.0]), "transfer": np.ones(3)}
    found = with_new_rows(known, model)
    assert found.pop("predictor.row2").tolist() == [1.5, 0.0] and found == known


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_added_styles_train_their_own_rows_alone(
    optimizer, family_runs, family_options, image_folders, tmp_path, image
):
    more = tmp_path / "more"
    shutil.copytree(image_folders[1], more)
    write_image(more / "a_new one.png", image(60, 60, 9))  # sorted before the others, but its row comes after theirs
    known = checkpoint(family_runs("n_styles"))
    settings = {"data": {"style_path": str(more)}, "train": {"init_ckpt": str(known), "optimizer": optimizer}}
    assert train(family_options("n_styles", tmp_path / "run", **settings), RUNTIME) == 0
    before, after = read_checkpoint(known), read_checkpoint(checkpoint(tmp_path / "run"))
    assert after[1]["styles"] == [*STYLES["n_styles"], "a_new_one"]
    assert all(np.array_equal(array, after[0][name]) for name, array in before[0].items())
    mean = np.mean([before[0][f"predictor.row{i}"] for i in range(3)], axis=0)
    assert np.abs(after[0]["predictor.row3"] - mean).max() > 1e-3
    values = {name: len({row[name] for row in losses(tmp_path / "run")}) for name in ("total", "style")}
    assert values == {"total": STEPS, "style": STEPS}
    with pytest.raises(UserError, match="cannot resume from .*its styles are style_0.*a_new_one.*--init_ckpt"):
        train(family_options("n_styles", tmp_path / "run", train={"steps": STEPS + 1, "optimizer": optimizer}), RUNTIME)


def test_without_augmentation_styles_are_compared_whole_and_once(family_options, image_folders, image, tmp_path):
    built = family_options("n_styles", tmp_path)
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
def test_what_can_not_be_trained_is_refused(case, family_options, image_folders, tmp_path, image):
    method, sections, text = bad_runs(tmp_path, image_folders, image)[case]
    with pytest.raises(UserError, match=text):
        train(family_options(method, tmp_path / "run", **sections), RUNTIME)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("found, wanted", [("n_styles", "single_style"), ("arbitrary", "n_styles")])
def test_starting_from_another_method_is_refused(found, wanted, family_runs, family_options, tmp_path):
    start = {"train": {"init_ckpt": str(checkpoint(family_runs(found)))}}
    with pytest.raises(UserError, match=f"was trained with method '{found}', the options say '{wanted}'"):
        train(family_options(wanted, tmp_path / "run", **start), RUNTIME)
