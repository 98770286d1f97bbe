"""Tiny trainings of the methods of the family; tests/conftest.py makes the fixtures known to all tests."""

import csv
import gc
from types import SimpleNamespace

import pytest

NETWORKS = {
    "arbitrary": {"predictor": "compact"},
    "n_styles": {},
    "single_style": {"output": "linear", "conv_bias": True},
}
STYLES = {"arbitrary": (), "n_styles": ("style_0", "style_1", "style_2"), "single_style": ("style_1",)}
TABLES = ["n_styles", "single_style"]
OPTIMIZERS = {"arbitrary": "muon"}  # which keeps Adam's state beside its own
STEPS, SAVED = 6, 4


@pytest.fixture(scope="session")
def family_options(few_statistics, loss_weights, image_folders):
    """Function of a method, an output folder and section={key: value}: the options of a tiny run."""
    from tiny_runs import LOSS

    from src.config import defaults

    def make(method, output, **sections):
        styles = image_folders[1] / "style_1.png" if method == "single_style" else image_folders[1]
        values = {
            "network": {"method": method, "width": 0.25, **NETWORKS.get(method, {})},
            "loss": LOSS
            | {"color_weight": 0.1, "band_weight": 0.1, "palette_weight": 0.1, "detail_taps": {"relu1_2": 0.1}},
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
                "optimizer": OPTIMIZERS.get(method, "adam"),
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


@pytest.fixture(scope="session")
def family_lines():
    """{method: first step and number of the rows that its run wrote at once to losses.csv}."""
    return {}


@pytest.fixture(scope="session")
def family_compilations():
    """{method: how often its run compiled its step}."""
    return {}


@pytest.fixture(scope="session")
def family_runs(family_options, tmp_path_factory, family_lines, family_compilations):
    """Function of a method: the output folder of a tiny run of it, trained once."""
    from tiny_runs import RUNTIME

    from src.training import trainer
    from src.training.log import LossLog

    done, write, build_step = {}, LossLog.write, trainer.build_step

    def of(method):
        if method not in done:
            done[method] = tmp_path_factory.mktemp(method)
            family_lines[method] = []

            def noting(self, first_step, rates, rows):
                family_lines[method].append((first_step, len(rows)))
                write(self, first_step, rates, rows)

            steps = []

            def keeping(*arguments):
                steps.append(build_step(*arguments))
                return steps[0]

            gc.collect()  # see the fixture `compilations`
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(LossLog, "write", noting)
                patch.setattr(trainer, "build_step", keeping)
                assert trainer.train(family_options(method, done[method]), RUNTIME) == 0
            family_compilations[method] = sum(len(step.compile_cache) for step in steps)
        return done[method]

    return of


def checkpoint(run, step=STEPS):
    return run / "checkpoints" / f"step_{step:08d}.ckpt"


def losses(run):
    with open(run / "losses.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture
def tiny_options(few_statistics, loss_weights, image_folders, tmp_path):
    """Function of section={key: value}: the options of a tiny run into tmp_path."""
    from tiny_runs import RECIPE

    from src.config import defaults

    def make(**sections):
        values = {name: {**recipe, **sections.get(name, {})} for name, recipe in RECIPE.items()}
        values["data"].update(content_path=str(image_folders[0]), style_path=str(image_folders[1]))
        values["train"] = {"output_dir": str(tmp_path / "run"), "ckpt_path": str(loss_weights), **values["train"]}
        built = defaults(**values)
        return SimpleNamespace(**{name: built[name] for name in values})

    return make
