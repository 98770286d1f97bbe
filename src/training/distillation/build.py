"""From options to the objective of a distillation."""

from src.errors import UserError
from src.models.compact_prediction import CompactPredictor, StatisticsPredictor
from src.models.factory import frozen
from src.training.distillation.objective import Distillation
from src.training.first_weights import check_same_network, starting_checkpoint, weights_folder
from src.training.stylization import build_stylization
from src.weights.load import load_model
from src.weights.loss_network import attach_loss_network
from src.weights.native import load_into, to_arrays


def build_distillation(options, model, runtime):
    """The `Distillation` of a model, its loss network or None, and the parameters that it trains.

    The student takes the teacher's style transfer network, and with a hint its dense layers, unless it starts from a
    checkpoint and the stylization loss is computed, too.

    Args:
        options: namespace of `network`, `loss`, `data`, `train`.
        model: the student.
        runtime: `src.runtime.Runtime`.

    Raises:
        UserError: options that contradict each other, no teacher, or a teacher of another network.
    """
    loss_options, train_options = options.loss, options.train
    _check_options(options)
    judged = train_options.distill_weight > 0
    stylization = build_stylization(options, model, runtime) if judged else None
    teacher = load_model(train_options.distill_from)
    check_same_network(
        model.network, teacher.network, train_options.distill_from, ignore=("predictor", "train_inception")
    )
    attach_loss_network(teacher.predictor, loss_options, weights_folder(train_options))
    hint = train_options.hint_weight > 0
    if hint:
        check_hint(model.predictor, teacher.predictor, train_options.distill_from)
    if not starting_checkpoint(train_options) or not judged:
        # only the transfer network that was trained with a predictor understands its embeddings
        load_into(model.transfer, to_arrays(teacher.transfer), train_options.distill_from)
        if hint:
            for ours, theirs in _dense_layers(model.predictor, teacher.predictor):
                load_into(ours, to_arrays(theirs), train_options.distill_from)
    frozen(teacher)
    trained = model.trainable_params() if judged else model.predictor.trainable_params()
    objective = Distillation(
        model, teacher.predictor, stylization, train_options.distill_weight, train_options.hint_weight
    )
    return objective, stylization.loss_network if judged else None, trained


def _check_options(options):
    if options.data.style_side != options.data.image_size:
        raise UserError(
            f"option style_size: found {options.data.style_size}, expected 0 with --distill_from, which embeds "
            "contents and styles together"
        )
    if options.network.traits.has_table:
        raise UserError(
            f"option distill_from: method {options.network.method} has no style prediction network to distil into; "
            "leave it out"
        )
    if options.data.style_crops and not options.train.distill_weight > 0:
        raise UserError(
            f"option style_crops: found {options.data.style_crops}, expected 0 with --distill_weight 0, which compares "
            "no styles"
        )


def _dense_layers(ours, theirs):
    return (ours.hidden, theirs.hidden), (ours.dense, theirs.dense)


def check_hint(student, teacher, where):
    """Raises a UserError unless the student can learn the statistics that the teacher reads."""
    if not isinstance(student, CompactPredictor) or not isinstance(teacher, StatisticsPredictor):
        raise UserError(
            f"option hint_weight: needs --predictor compact and a teacher with a statistics predictor; {where} has a "
            f"{type(teacher).__name__}; set it to 0"
        )
    found, expected = teacher.center.shape[0], student.center.shape[0]
    if found != expected:
        raise UserError(
            f"option hint_weight: the teacher {where} reads {found} statistics, the compact predictor learns "
            f"{expected} (distilled_vgg19's); set it to 0"
        )
