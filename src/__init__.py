"""Style transfer in MindSpore: where each paper is.

======================  =====================  ==================================  ============================
paper                   networks               losses and training                 recipe
======================  =====================  ==================================  ============================
Ghiasi et al. 2017      StyleTransferNetwork,  losses.StylizationLoss,             default_config.yaml,
(arbitrary styles)      InceptionPredictor or  training.objectives.Stylization,    configs/modelzoo, compact,
                        CompactPredictor       training.objectives.Distillation    compact_vgg16, compact_distil
Dumoulin et al. 2016    StyleTransferNetwork,  StylizationLoss, Stylization        configs/n_styles
(N styles)              StyleTable
Johnson et al. 2016     StyleTransferNetwork,  StylizationLoss, Stylization        configs/single_style
(one style)             StyleTable of one row
Gatys et al. 2016       none: the pixels       optimize.objective, optimizers      configs/optimize
(optimises the image)
======================  =====================  ==================================  ============================

The networks are in models/style_transfer.py and models/style_prediction.py. All of them share InstanceNorm in
models/normalization.py, which is conditional instance normalization, and LossNetwork in models/vgg.py, whose features
the losses compare.

An option, with its range and its help, is one field in options/. A picture goes through images/ (reading, writing,
padding, sheets), engines/ (what runs the networks), stylize/stylizer.py (embedding, stylising), stylize/tiles.py (large
pictures) and stylize/flat.py (pictures of a single colour). The folders build on each other in the order that
tests/test_imports.py states.
"""

from src import early as _early  # noqa: F401  Ctrl-C during the imports that follow
from src import runtime as _runtime  # noqa: F401  prepares the environment before anything imports mindspore
