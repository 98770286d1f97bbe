"""What the papers' trainings minimise: the stylization loss, with a style prediction network or a table of styles.

Each class is a `src.training.objective.Objective`.
"""

from mindspore import Parameter, ParameterTuple, nn, ops

from src.losses import StylizationLoss


class Stylization(nn.Cell):
    """Ghiasi et al. 2017, section 2: prediction and transfer network trained together on the stylization loss.

    Each of content, style and pastiche goes through the loss network once a step, the first two outside the gradient.

    Args:
        model: `src.models.factory.StylizationModel`.
        loss_network: frozen, with the feature layers `taps`.
        taps: their names, those of `loss_taps` at least.
        loss_options: `src.sections.LossConfig`.
    """

    def __init__(self, model, loss_network, taps, loss_options):
        super().__init__()
        self.model = model
        self.loss_network = loss_network
        self.taps = taps
        self.loss = StylizationLoss(loss_options, taps)
        self.names = self.loss.names

    @classmethod
    def loss_taps(cls, loss_options) -> tuple:
        """Feature layers that the objective reads with a loss (`src.sections.LossConfig`), each once."""
        return loss_options.feature_layers

    @staticmethod
    def adapted(loss_options):
        """The `src.sections.LossConfig` as the class needs it: as it is."""
        return loss_options

    def targets(self, content, style, *given):
        """Content features, the targets of the style loss, and what the predictor reads.

        Args:
            content: (N, 3, H, W) in [0, 1].
            style: (N, 3, h, w) in [0, 1].
            given: what `style_targets` of the class takes beside the style.
        """
        content_features = self.loss.content_targets(self.loss_network(content))
        grams, predictor_input = self.style_targets(style, given)
        return content_features, grams, predictor_input

    def style_targets(self, style, given):
        """The targets of the style loss, and what the predictor reads: the style. `given` is empty."""
        return self.loss.style_targets(self.loss_network(style), style), style

    def embed(self, predictor_input):
        """Style embeddings (N, embedding_dim) of what `style_targets` gave the predictor to read."""
        return self.model.predictor(predictor_input)

    def judge(self, content, embedding, content_features, style_grams):
        """Total and terms of the pastiches of content under embeddings."""
        pastiche = self.model.transfer(content, embedding)
        return self.loss(pastiche, self.loss_network(pastiche), content_features, style_grams)

    def construct(self, content, style, targets):
        embedding = self.embed(targets[2])
        return self.judge(content, embedding, targets[0], targets[1])


class TableStylization(Stylization):
    """Dumoulin et al. 2016, with a table of one row Johnson et al. 2016: the table takes the style's weights."""

    def __init__(self, model, loss_network, taps, loss_options):
        super().__init__(model, loss_network, taps, loss_options)
        self.grams = ()

    def remember(self, grams):
        """Fixes the style targets, those of whole style images, computed once before training.

        Without this call, the targets of the style crops of each step are computed.

        Args:
            grams: what `src.losses.StylizationLoss.style_targets` gives, of all styles: float32 (styles, C, C), one a
                style layer and more, and (styles, numbers) for the palette. A step picks rows, and never mixes them.
        """
        rows = enumerate(grams)
        self.grams = ParameterTuple(Parameter(table, name=f"grams{i}", requires_grad=False) for i, table in rows)

    def style_targets(self, style, given):
        """The targets of the style loss, and what the table reads: weights (N, styles) that are `given[0]`."""
        weights = given[0]
        if not self.grams:
            return self.loss.style_targets(self.loss_network(style), style), weights
        picked = ()
        for table in self.grams:
            flat = ops.matmul(weights, table.reshape((table.shape[0], -1)))
            picked += (flat.reshape((-1, *table.shape[1:])),)
        return picked, weights
