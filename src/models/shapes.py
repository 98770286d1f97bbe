"""Sizes of the networks' layers, for whoever builds them. Imports no MindSpore."""

RESIDUAL_BLOCKS = 5
# loss networks: convolutions and channels of each block
BLOCKS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)
DISTILLED_BLOCKS = (2, 2, 4, 4, 1)
DISTILLED_CHANNELS = (16, 32, 64, 128, 128)
# convolutions of each stage of the compact predictor, whose channels are the distilled VGG-19's
COMPACT_DEPTHS = (1, 2, 2, 3, 3)
# hidden units of the branch that the compact predictor adds to its linear part
REFINE_UNITS = 512

# (name, output channels, kernel, stride, border); a "max" row pools 3x3 with stride 2
STEM = (
    ("Conv2d_1a", 32, 3, 2, 0),
    ("Conv2d_2a", 32, 3, 1, 0),
    ("Conv2d_2b", 64, 3, 1, 1),
    ("max", 64, 3, 2, 0),
    ("Conv2d_3b", 80, 1, 1, 0),
    ("Conv2d_4a", 192, 3, 1, 0),
    ("max", 192, 3, 2, 0),
)


def _mixed_5(pool):
    return {
        "branch0": ((64, 1),),
        "branch1": ((48, 1), (64, 5)),
        "branch2": ((64, 1), (96, 3), (96, 3)),
        "branch_pool": ("average", (pool, 1)),
    }


def _mixed_6(channels):
    wide, tall = (1, 7), (7, 1)
    return {
        "branch0": ((192, 1),),
        "branch1": ((channels, 1), (channels, wide), (192, tall)),
        "branch2": ((channels, 1), (channels, tall), (channels, wide), (channels, tall), (192, wide)),
        "branch_pool": ("average", (192, 1)),
    }


# block: branches side by side, joined along the channels; a branch is layers one after another, (channels, kernel) or
# (channels, kernel, stride), or a 3x3 pool: "average" with stride 1, "max" with stride 2
MIXED = {
    "Mixed_5b": _mixed_5(32),
    "Mixed_5c": _mixed_5(64),
    "Mixed_5d": _mixed_5(64),
    "Mixed_6a": {
        "branch0": ((384, 3, 2),),
        "branch1": ((64, 1), (96, 3), (96, 3, 2)),
        "branch_pool": ("max",),
    },
    "Mixed_6b": _mixed_6(128),
    "Mixed_6c": _mixed_6(160),
    "Mixed_6d": _mixed_6(160),
    "Mixed_6e": _mixed_6(192),
}


def layer_channels(width):
    """Channels of the three contract layers and of the residual blocks (the last of the three), at a width."""
    return tuple(max(1, round(c * width)) for c in (32, 64, 128))


def conditional_channels(network_options):
    """Channels of the style transfer network's conditional instance norms, in order.

    Args:
        network_options: `src.sections.NetworkConfig`.
    """
    c1, c2, c3 = layer_channels(network_options.width)
    last = c1 if network_options.ends == "full" else c2
    # a linear output is not normalised
    return (*(c3,) * (2 * RESIDUAL_BLOCKS), c2, last, *(() if network_options.output == "linear" else (3,)))


def embedding_size(network_options):
    """Numbers in what the style transfer network takes for a style: its embedding, or all its gammas and betas."""
    return (
        2 * sum(conditional_channels(network_options))
        if network_options.traits.has_table
        else network_options.embedding_dim
    )


def layer_names(blocks):
    """Names of the convolutions after which a feature layer exists, in order: "1_1", "1_2", "2_1", ..."""
    return [f"{b}_{i}" for b, count in enumerate(blocks, 1) for i in range(1, count + 1)]
