"""The objective of a distillation: a predictor learns to give another one's embeddings."""

import mindspore as ms
from mindspore import nn, ops


class Distillation(nn.Cell):
    """Trains the predictor to give a teacher's embeddings (Magenta distils a MobileNet in the same way).

    The embedding loss compares the gammas and betas, without biases, that both embeddings give: their mean squared
    error, divided by the mean square of the teacher's. Contents are embedded as well as styles, because blending starts
    at a content's own embedding. An embedding has only 100 numbers. A hint (Romero et al. 2015) teaches a compact
    predictor more: the standardised statistics that a statistics predictor reads.

    Args:
        model: the student; its transfer network is the teacher's.
        teacher: predictor whose embeddings are the target.
        stylization: `src.training.objectives.Stylization` of the student, or None to train the predictor alone.
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
        images, expected, statistics, judged = targets
        predictor = self.model.predictor
        hints = ()
        if self.hint_weight > 0:
            found = predictor.standard_statistics(images)
            embeddings = predictor.embed_standard(found)
            hints = (ops.square(found - statistics).mean(),)
        else:
            embeddings = predictor(images)
        # the error is that of gammas and betas, because these decide the pastiche
        heads = ops.stop_gradient(self.model.transfer.heads.weight).astype(ms.float32).T
        error = ops.square(ops.matmul(embeddings - expected, heads)).mean()
        error = error / (ops.square(ops.matmul(expected, heads)).mean() + 1e-8)
        total, terms = error, (error, *hints)
        for hint in hints:
            total = total + self.hint_weight * hint
        if self.stylization is None:
            return total, ops.stack((total, *terms))
        loss, inner = self.stylization.judge(content, embeddings[: style.shape[0]], judged[0], judged[1])
        total = total + self.weight * loss
        return total, ops.concat((ops.stack((total, *terms)), inner))
