"""The loss of a pastiche, as a `src.training.objective.Objective`."""

import mindspore as ms
from mindspore import Parameter, nn

from src.color_loss import check_color_side
from src.losses import StylizationLoss, check_grid_side


class PasticheLoss(nn.Cell):
    """Loss of a picture that is a parameter. The targets don't change, so a step takes their features as inputs.

    Args:
        loss_network: frozen, with the feature layers `taps`.
        taps: their names.
        loss_options: `src.sections.LossConfig`.
        pastiche: float32 array (1, 3, H, W) in [0, 1] that fixes the size.
        blend: weights of the styles, which sum to 1.

    Raises:
        UserError: a pastiche too small for the losses on grid or colors.
    """

    def __init__(self, loss_network, taps, loss_options, pastiche, blend):
        super().__init__()
        if loss_options.grid_weight > 0:
            check_grid_side(min(pastiche.shape[2:]), "the pastiche has")
        check_color_side(min(pastiche.shape[2:]), "the pastiche has", loss_options)
        self.pastiche = Parameter(ms.Tensor(pastiche), name="pastiche")
        self.loss_network = loss_network
        self.loss = StylizationLoss(loss_options, taps, blend)
        self.names = self.loss.names

    def targets(self, content_features, style_grams):
        """An empty tuple, because the step takes all features as its inputs."""
        return ()

    def construct(self, content_features, style_grams, targets):
        """The losses under content features and style targets, as `src.losses.Targets` gives them.

        Returns:
            see `src.losses.StylizationLoss`.
        """
        return self.loss(self.pastiche, self.loss_network(self.pastiche), content_features, style_grams)
