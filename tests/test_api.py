"""src.api.train: options by name, the checkpoint that comes back. Stylising is tested with each method's model."""

from pathlib import Path

import pytest

from src.api import train
from src.errors import UserError
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
