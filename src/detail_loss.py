"""Detail loss: whether the fine features of a pastiche lie where the photograph has them."""

from mindspore import ops

# part of the photograph's mean variance over the channels that is added to every variance: channels that vary less than
# that in both images count as alike
LEAST_VARIANCE = 1e-3


def detail_loss(actual, target):
    """1 - the correlation of each channel over the positions, averaged over the channels: each image's loss, (N,).

    Channels weigh as their variance in the photograph. The papers compare the features themselves (`content_taps`),
    which at fine layers would ask for the photograph's colors and contrast as well. A correlation asks for neither: it
    asks that eyes and window frames be drawn, in whatever colors.

    Args:
        actual, target: features (N, C, h, w) of the pastiches and of the photographs.
    """
    n, c, h, w = target.shape
    ours, theirs = actual.reshape((n, c, h * w)), target.reshape((n, c, h * w))
    ours, theirs = ours - ours.mean(2, True), theirs - theirs.mean(2, True)
    variance = ops.square(theirs).mean(2)
    least = LEAST_VARIANCE * variance.mean(1, True) + 1e-8
    root = ops.sqrt((ops.square(ours).mean(2) + least) * (variance + least))
    correlation = ((ours * theirs).mean(2) + least) / root
    return ((1.0 - correlation) * variance).sum(1) / (variance.sum(1) + 1e-8)
