"""What training minimises: the stylization loss, or a teacher's embeddings (with or without that loss beside them).

An objective has `targets(content, style)`, computed outside the gradient, `construct(content, style, *targets)` giving
(total, terms), the `names` of the terms, and the parameters that it trains.
"""

import mindspore as ms
from mindspore import Parameter, ParameterTuple, nn, ops

from src.losses import StylizationLoss
from src.models.style_prediction import STATISTICS_TAPS, InceptionPredictor, channel_statistics


class Stylization(nn.Cell):
    """Ghiasi et al. 2017, section 2: prediction and transfer network trained together on the stylization loss.

    A table of styles in place of the prediction network makes it the training of Dumoulin et al. 2016, and of Johnson
    et al. 2016 when it has one row; its styles' Gram matrices may be known beforehand. Each of content, style and
    pastiche goes through the loss network once a step, the first two outside the gradient. A statistics predictor reads
    the same pass over the style.

    Args:
        model: `src.models.factory.StylizationModel`.
        loss_network: frozen, with the feature layers `taps`.
        taps: their names.
        loss: `src.sections.LossConfig`.
    """

    def __init__(self, model, loss_network, taps, loss):
        super().__init__()
        self.model = model
        self.loss_network = loss_network
        self.taps = taps
        self.loss = StylizationLoss(loss, taps)
        self.names = self.loss.names
        self.reads_statistics = model.network.reads_statistics
        self.statistics_taps = tuple(taps.index(t) for t in STATISTICS_TAPS) if self.reads_statistics else ()
        self.grams = ()
        self.takes_style_targets, self.kept = False, ""

    def remember(self, grams):
        """Fixes the style targets: Gram matrices of whole style images, computed once before training.

        Without this call, `targets` computes the Gram matrices of the style crops of each step. Only for a model with
        a table of styles, whose style images are known beforehand.

        Args:
            grams: for each style layer the Gram matrices of all styles, float32 (styles, C, C).
        """
        rows = enumerate(grams)
        self.grams = ParameterTuple(Parameter(table, name=f"grams{i}", requires_grad=False) for i, table in rows)

    def take_style_targets(self):
        """Takes the Gram matrices of a step's style crops from now on, and what the frozen part of the predictor makes
        of them: its embeddings when all of it is frozen, the mean of Mixed_6e when Inception-v3 is."""
        self.takes_style_targets = True
        predictor = self.model.predictor
        if not predictor.trainable_params():
            self.kept = "embeddings"
        elif isinstance(predictor, InceptionPredictor) and not predictor.inception.trainable_params():
            self.kept = "features of Inception-v3"

    def kept_of(self, style):
        """A tuple of what is kept of style crops (N, 3, H, W) beside their Gram matrices, or an empty one."""
        if self.kept == "embeddings":
            return (self.model.predictor(style),)
        if self.kept:
            return (self.model.predictor.features(style),)
        return ()

    def targets(self, content, style, *given):
        """Content features, the style's Gram matrices, and what the predictor reads: the style, or its statistics, or
        the weights that a table takes, or what was kept.

        Args:
            given: the weights of a table; or, after `take_style_targets`, Gram matrices and what `kept_of` gave.
        """
        content_features = self.loss.content_targets(self.loss_network(content))
        if self.takes_style_targets:
            if self.kept:
                return content_features, given[:-1], given[-1]
            return content_features, given, style
        weights = given[0] if given else None
        if self.grams:
            picked = ()
            for table in self.grams:
                styles, channels, _ = table.shape
                flat = ops.matmul(weights, table.reshape((styles, channels * channels)))
                picked += (flat.reshape((-1, channels, channels)),)
            return content_features, picked, weights
        style_features = self.loss_network(style)
        predictor_input = style if weights is None else weights
        if self.reads_statistics:
            read = ()
            for i in self.statistics_taps:
                read += (style_features[i],)
            predictor_input = channel_statistics(read)
        return content_features, self.loss.style_targets(style_features, style), predictor_input

    def embed(self, predictor_input):
        """Style embeddings (N, embedding_dim) of what `targets` gave."""
        if self.kept == "embeddings":
            return predictor_input
        if self.kept:
            return self.model.predictor.dense(predictor_input)
        if self.reads_statistics:
            return self.model.predictor.embed_statistics(predictor_input)
        return self.model.predictor(predictor_input)

    def judge(self, content, embedding, content_features, style_grams):
        """Total and terms of the pastiches of content under embeddings."""
        pastiche = self.model.transfer(content, embedding)
        return self.loss(pastiche, self.loss_network(pastiche), content_features, style_grams)

    def construct(self, content, style, targets):
        embedding = self.embed(targets[2])
        return self.judge(content, embedding, targets[0], targets[1])


class Distillation(nn.Cell):
    """Trains the predictor to give a teacher's embeddings (Magenta distils a MobileNet in the same way).

    The embedding loss is the mean squared error of the gammas and betas that the embeddings make, without their biases,
    divided by the mean square of those that the teacher's embedding makes; both contents and styles are embedded,
    since blending starts at a content's own embedding. A hint (Romero et al. 2015) teaches a compact predictor more
    than 100 numbers an image: the standardised statistics that a statistics predictor reads.

    Args:
        model: the student; its transfer network is the teacher's.
        teacher: predictor whose embeddings are the target.
        stylization: `Stylization` of the student, or None to train the predictor alone.
        weight: of the stylization loss's total beside the embedding loss.
        hint_weight: of the mean squared error of the standardised statistics; 0 for no hint.
    """

    def __init__(self, model, teacher, stylization=None, weight=0.0, hint_weight=0.0):
        super().__init__()
        self.model = model
        self.teacher = teacher
        self.stylization = stylization
        self.weight, self.hint_weight = weight, hint_weight
        self.names = ("total", "embedding")
        if hint_weight > 0:
            self.names += ("hint",)
        if stylization is not None:
            self.names += tuple(f"stylization_{n}" if n == "total" else n for n in stylization.names)

    def targets(self, content, style, *given):
        """Images, the teacher's embeddings of them, its statistics with a hint, and the stylization's own targets."""
        images = ops.concat((style, content), 0)
        statistics = ()
        if self.hint_weight > 0:
            statistics = self.teacher.standard_statistics(images)
            embeddings = self.teacher.embed_standard(statistics)
        else:
            embeddings = self.teacher(images)
        judged = () if self.stylization is None else self.stylization.targets(content, style, *given)
        return images, embeddings, statistics, judged

    def construct(self, content, style, targets):
        images, wanted, statistics, judged = targets
        predictor = self.model.predictor
        hints = ()
        if self.hint_weight > 0:
            found = predictor.standard_statistics(images)
            embeddings = predictor.embed_standard(found)
            hints = (ops.square(found - statistics).mean(),)
        else:
            embeddings = predictor(images)
        # in the space of gammas and betas, which is where an error shows
        heads = ops.stop_gradient(self.model.transfer.heads.weight).astype(ms.float32).T
        error = ops.square(ops.matmul(embeddings - wanted, heads)).mean()
        error = error / (ops.square(ops.matmul(wanted, heads)).mean() + 1e-8)
        total, terms = error, (error, *hints)
        for hint in hints:
            total = total + self.hint_weight * hint
        if self.stylization is None:
            return total, ops.stack((total, *terms))
        loss, inner = self.stylization.judge(content, embeddings[: style.shape[0]], judged[0], judged[1])
        total = total + self.weight * loss
        return total, ops.concat((ops.stack((total, *terms)), inner))


def loss_taps(loss, network) -> tuple:
    """Feature layers that training a network with this loss needs, each once; both as in `src.sections`."""
    taps = (*loss.style_taps, *loss.content_taps)
    if network.reads_statistics:
        taps = (*taps, *STATISTICS_TAPS)
    return tuple(dict.fromkeys(taps))
