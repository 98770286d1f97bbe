"""Style transfer in MindSpore: where each paper is.

======================  ==========================================  =======================================
paper                   classes                                     recipe
======================  ==========================================  =======================================
Ghiasi et al. 2017      models.style_prediction.InceptionPredictor  configs/modelzoo.yaml (the published
(any style)             models.style_transfer.StyleTransferNetwork  port's); default_config.yaml (the
                        training.objectives.Stylization             paper's, which is the default)
Dumoulin et al. 2016    models.style_prediction.StyleTable          configs/n_styles.yaml,
(N styles)              models.style_transfer.StyleTransferNetwork  configs/n_styles_vgg16.yaml
                        training.objectives.TableStylization
Johnson et al. 2016     those of Dumoulin et al., with a table of   configs/single_style.yaml,
(one style)             one row                                     configs/single_style_vgg16.yaml
Gatys et al. 2016       no networks of its own                      configs/optimize.yaml
(optimises the image)   optimize.objective.PasticheLoss
                        optimize.optimizers.LBFGS
                        optimize.optimizers.Adam
                        optimize.method.Gatys
======================  ==========================================  =======================================

src/methods.py says in one table in what the four differ. All four share the losses (losses.StylizationLoss), the loss
network (models.vgg.VGG), whose features the losses compare, and the training step (training.train_step.TrainOneStep).
The three that train share conditional instance normalization (models.normalization.InstanceNorm), and the loop over the
steps, which is run_steps in training/trainer.py. A new term of the loss is added in StylizationLoss, its weight in
options/training.py; a search for grid_weight shows every place. Dimensions of a network's layers are in
models/shapes.py.

The bundled model is made in another way than the paper's: src/training/distillation/ says how, and
models/compact_prediction.py has its style prediction network. The recipes are configs/compact.yaml,
configs/compact_distil.yaml and configs/compact_vgg16.yaml.

An option, with its range and its help, is one field in options/. A picture goes through images/ (images/decoding.py
reads, and decides what is damaged, transparent or too large; images/files.py writes; padding, sheets), engines/ (what
runs the networks), stylize/stylizer.py (embedding, stylising), stylize/tiles.py (large pictures) and stylize/flat.py
(pictures of a single colour). The folders build on each other in the order that tests/test_imports.py states.
"""

from src import early as _early  # noqa: F401  Ctrl-C during the imports that follow
from src import runtime as _runtime  # noqa: F401  prepares the environment before anything imports mindspore
