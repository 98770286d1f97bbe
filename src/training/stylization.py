"""From options to the stylization objective, with its loss network."""

from src.color_loss import check_color_side
from src.errors import UserError
from src.losses import check_grid_side
from src.runtime import apply_precision
from src.training.distillation.statistics import StatisticsStylization
from src.training.first_weights import weights_folder
from src.training.objectives import Stylization, TableStylization
from src.training.style_crops import CropsStylization
from src.weights.loss_network import create_loss_network

# by `style_source` of the network's options; all others are a `Stylization`
CLASSES = {"table": TableStylization, "statistics": StatisticsStylization}


def build_stylization(options, model, runtime):
    """The stylization objective of a model. The loss network has its weights, in the precision of `runtime`.

    Args:
        options: namespace of `network`, `loss`, `data`, `train`.
        model: `src.models.factory.StylizationModel`, with its frozen parameters frozen.
        runtime: `src.runtime.Runtime`.

    Raises:
        UserError: no weights of the loss network, a feature layer that it lacks, options that exclude each other.
    """

    def load(loss_options, taps):
        loss_network = create_loss_network(loss_options, weights_folder(options.train), taps)
        apply_precision(loss_network, runtime.precision)
        return loss_network

    check_crops(options)
    if options.loss.grid_weight > 0:
        check_grid_side(options.data.image_size, "option image_size has")
    check_color_side(min(options.data.image_size, options.data.style_side), "crops have", options.loss)
    return create_stylization(model, options.loss, load, options.data.style_crops > 0)


def create_stylization(model, loss_options, make_loss_network, fixed_crops=False):
    """The stylization objective of a model, of the class that its network asks for.

    Args:
        model: `src.models.factory.StylizationModel`.
        loss_options: `src.sections.LossConfig`.
        make_loss_network: function of a `LossConfig` and of the names of feature layers; makes the loss network.
        fixed_crops: whether the styles are a fixed number of crops.
    """
    kind = CLASSES.get(model.network.style_source, CropsStylization if fixed_crops else Stylization)
    loss_options = kind.adapted(loss_options)
    taps = kind.loss_taps(loss_options)
    return kind(model, make_loss_network(loss_options, taps), taps, loss_options)


def check_crops(options):
    """Raises a UserError for fixed style crops where the objective has no use for them."""
    why = {
        "table": f"method {options.network.method}, which has --style_augment false for that",
        "statistics": "a statistics predictor, which reads the loss network at each step",
    }.get(options.network.style_source)
    if options.data.style_crops and why:
        raise UserError(f"option style_crops: found {options.data.style_crops}, expected 0 with {why}")
