"""What a training starts from: a teacher, a checkpoint of another network, frozen parts."""

import numpy as np
import pytest
from tiny_runs import RUNTIME, losses, use_plain_steps

from src.errors import UserError
from src.training.first_weights import build_model
from src.training.trainer import train
from src.weights.load import load_model
from src.weights.native import read_checkpoint, to_arrays


def test_distillation_brings_the_student_to_the_teacher(tiny_options, tmp_path):
    teacher = tiny_options(
        network={"predictor": "statistics"}, train={"steps": 4, "output_dir": str(tmp_path / "teacher")}
    )
    with pytest.MonkeyPatch.context() as patch:
        use_plain_steps(patch)
        assert train(teacher, RUNTIME) == 0
    path = tmp_path / "teacher" / "checkpoints" / "step_00000004.ckpt"
    hinted = {"distill_from": str(path), "hint_weight": 1.0}
    student = tiny_options(train={"steps": 60, **hinted, "save_every": 100, "ema_decay": 0.0})
    assert train(student, RUNTIME) == 0
    rows = losses(tmp_path / "run")
    for term in ("embedding", "hint"):
        assert np.mean([float(rows[step][term]) for step in range(51, 61)]) < 0.7 * float(rows[1][term])
    ours, theirs = load_model(tmp_path / "run" / "checkpoints" / "step_00000060.ckpt"), load_model(path)
    left, right = to_arrays(ours.transfer), to_arrays(theirs.transfer)
    assert all(np.array_equal(left[name], right[name]) for name in left)
    assert not [n for n, _ in theirs.parameters_and_names() if "conv1_1" in n], "the loss network is in the checkpoint"


def test_hints_need_a_teacher_that_reads_statistics(tiny_options, tiny_checkpoint):
    with pytest.raises(UserError, match="option hint_weight: .*CompactPredictor"):
        train(tiny_options(train={"distill_from": str(tiny_checkpoint), "hint_weight": 1.0}), RUNTIME)


def test_of_a_checkpoint_with_another_predictor_the_transfer_network_is_taken(tiny_options, tiny_checkpoint):
    chosen = tiny_options(network={"predictor": "statistics"}, train={"init_ckpt": str(tiny_checkpoint)})
    model = build_model(chosen.network, chosen.loss, chosen.train)
    start = read_checkpoint(tiny_checkpoint)[0]
    taken = dict(model.transfer.parameters_and_names())
    assert all(np.array_equal(p.asnumpy(), start[f"transfer.{name}"]) for name, p in taken.items())
    assert not model.predictor.standardised  # so that training begins with the statistics of its styles


def test_frozen_parts_stay_as_they_were(tiny_options, tiny_checkpoint, tmp_path, monkeypatch):
    use_plain_steps(monkeypatch)  # which change all weights that a step trains
    frozen = {"init_ckpt": str(tiny_checkpoint), "freeze": ["predictor.stages", "transfer.heads"]}
    assert train(tiny_options(train={"steps": 2, **frozen}), RUNTIME) == 0
    before = read_checkpoint(tiny_checkpoint)[0]
    after = read_checkpoint(tmp_path / "run" / "checkpoints" / "step_00000002.ckpt")[0]
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert {name for name in before if name.startswith(tuple(frozen["freeze"]))} <= same
    assert "predictor.translate.weight" not in same and "transfer.contract1.conv.weight" not in same


def test_freezing_what_is_not_there_is_refused(tiny_options):
    with pytest.raises(UserError, match="option freeze: .*predictor.stages"):
        train(tiny_options(train={"freeze": ["inception"]}), RUNTIME)


def test_starting_from_a_checkpoint_of_another_network_is_refused(tiny_options, tiny_checkpoint):
    with pytest.raises(UserError, match="padding"):
        train(tiny_options(network={"padding": "zero"}, train={"init_ckpt": str(tiny_checkpoint)}), RUNTIME)
    model = build_model(
        tiny_options().network, tiny_options().loss, tiny_options(train={"init_ckpt": str(tiny_checkpoint)}).train
    )
    start = read_checkpoint(tiny_checkpoint)[0]
    assert all(np.array_equal(p.asnumpy(), start[name]) for name, p in model.parameters_and_names())
