"""The networks for MindSpore Hub: `mindspore_hub.load` calls `create_network`."""

from src.errors import UserError
from src.models.factory import create_model
from src.options.recipes import unknown
from src.options.training import NetworkConfig
from src.weights.load import load_model

NAMES = {"arbitrary_style_transfer": "arbitrary", "n_styles": "n_styles", "single_style": "single_style"}


def create_network(name, **kwargs):
    """A network with new weights, or those of a checkpoint.

    Args:
        name: one of `NAMES`.
        kwargs: either `ckpt_path`, a checkpoint that brings its own options, and perhaps `inception_ckpt`; or the
            options of `src.options.training.NetworkConfig`, and for a table `styles`, the names of its styles.

    Returns:
        `src.models.factory.StylizationModel`: content (N, 3, H, W) and style (N, 3, h, w), RGB in [0, 1], to the
        pastiche like content; of a table the style is weights (N, styles).

    Raises:
        NotImplementedError: another name, as MindSpore Hub expects.
        UserError: an unknown option, or a checkpoint of another method.
    """
    if name not in NAMES:
        raise NotImplementedError(f"{name} is none of this project's networks: {', '.join(NAMES)}")
    method = NAMES[name]
    if "ckpt_path" in kwargs:
        extra = sorted(kwargs.keys() - {"ckpt_path", "inception_ckpt"})
        if extra:
            raise UserError(f"option {extra[0]}: with ckpt_path, the network's options are those of the checkpoint")
        model = load_model(kwargs["ckpt_path"], kwargs.get("inception_ckpt", ""))
        if model.network.method != method:
            raise UserError(f"checkpoint {kwargs['ckpt_path']}: is of method {model.network.method}, expected {method}")
        return model
    styles = kwargs.pop("styles", ())
    for option in kwargs:
        if option not in NetworkConfig.schema():
            raise unknown(option, NetworkConfig.schema(), name)
    network = NetworkConfig(**{"method": method, **kwargs})
    if network.traits.has_table != bool(styles):
        expected = "names of the styles of the table" if network.traits.has_table else "none"
        raise UserError(f"option styles: found {list(styles)}, expected {expected}")
    return create_model(network, styles=styles)
