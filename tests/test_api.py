"""src.api.train: options by name, the checkpoint that comes back; the example of the README of before.

Stylising by src.api is tested with each method's model.
"""

from pathlib import Path

import pytest
from conftest import make_image

from src.api import train
from src.errors import UserError
from src.images.files import read_image, write_image
from src.training import trainer


@pytest.fixture
def runs(monkeypatch):
    """The settings of each training that was asked for; the training itself only leaves two checkpoints."""
    found = []

    def pretend(settings, runtime):
        found.append(settings)
        folder = Path(settings.train.output_dir) / "checkpoints"
        folder.mkdir(parents=True)
        for step in (1, settings.train.steps):
            for ending in ("ckpt", "state.ckpt"):
                (folder / f"step_{step:08d}.{ending}").touch()
        return 0

    monkeypatch.setattr(trainer, "train", pretend)
    return found


def test_options_and_recipe_reach_the_training_and_the_last_checkpoint_comes_back(runs, root, tmp_path):
    recipe = root / "configs/n_styles.yaml"
    more = {"steps": 7, "batch_size": 2, "checkpoint": "a.ckpt"}
    checkpoint = train(tmp_path / "photos", "styles", tmp_path / "out", recipe, **more)
    assert checkpoint == tmp_path / "out/checkpoints/step_00000007.ckpt"
    settings = runs[0]
    assert (settings.data.content_path, settings.data.style_path) == (str(tmp_path / "photos"), "styles")
    assert (settings.train.steps, settings.data.batch_size, settings.train.init_ckpt) == (7, 2, "a.ckpt")
    assert settings.network.method == "n_styles"


def test_an_unknown_option_is_named_with_the_nearest(runs):
    with pytest.raises(UserError, match="unknown option 'step'; did you mean 'steps'"):
        train("photos", "styles", step=3)
    assert not runs


def test_an_interrupted_training_is_an_interrupt(runs, monkeypatch, tmp_path):
    monkeypatch.setattr(trainer, "train", lambda settings, runtime: 130)
    with pytest.raises(KeyboardInterrupt):
        train("photos", "styles", tmp_path)


FORMER_EXAMPLE = """
from src.data.images import read_image, write_image
from src.stylize.stylizer import Stylizer

stylizer = Stylizer()
embedding = stylizer.embed(read_image("painting.jpg"))
write_image("out.jpg", stylizer.stylize(read_image("photo.jpg"), embedding))
"""


def test_the_python_example_of_the_readme_of_before_still_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("photo.jpg", "painting.jpg")):
        write_image(tmp_path / name, make_image(48, 64, seed))
    exec(FORMER_EXAMPLE, {})
    assert read_image(tmp_path / "out.jpg").shape == (48, 64, 3)
