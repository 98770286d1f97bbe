"""eval.py --method optimize: the optimisation is evaluated as a model is."""

import statistics

import pytest
from eval_runs import read_rows

import eval as eval_entry
from src.errors import run_entry

OPTIMIZE = (
    *("--method", "optimize", "--loss_network", "distilled_vgg19", "--style_taps", "relu1_1=1,relu2_1=1"),
    *("--content_taps", "relu2_2=1", "--normalize_losses", "--iterations", 4, "--image_size", 32),
)


@pytest.fixture
def optimize(image_folders, loss_weights, tmp_path, capsys):
    """Function of arguments that evaluates the optimisation in this process: exit code, stdout, lines of stderr."""

    def run(*arguments):
        paths = ("--content_path", image_folders[0], "--style_path", image_folders[1], "--output_path", tmp_path / "o")
        weights = ("--loss_network_ckpt", loss_weights / "vgg19_distilled_16x.npz")
        code = run_entry(eval_entry.main, list(map(str, (*paths, *OPTIMIZE, *weights, *arguments))))
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


def test_the_optimisation_is_evaluated_as_a_model(optimize, tmp_path):
    code, out, err = optimize()
    assert (code, err) == (0, [])
    rows = read_rows(tmp_path / "o")
    assert len(rows) == 12 and statistics.median(float(row["style_left"]) for row in rows) < 0.95
    assert (tmp_path / "o" / "grid.png").is_file()


@pytest.mark.parametrize(
    "arguments, naming",
    [
        (("--ckpt_path", "model.ckpt"), "option ckpt_path"),
        (("--interpolation", "3"), "option interpolation"),
        (("--checkpoint_output", "out_%s.png"), "option checkpoint_output"),
        (("--method", "arbitrary"), "option iterations"),
        (("--method", "n_styles"), "option iterations"),
        (("--iterations", "0"), "option iterations"),
    ],
)
def test_options_that_the_optimisation_does_not_read(optimize, tmp_path, arguments, naming):
    code, _, err = optimize(*arguments)
    assert code == 2 and len(err) == 1 and naming in err[0]
    assert not (tmp_path / "o").exists()
