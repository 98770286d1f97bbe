"""The training of the bundled model. Nothing here is from the paper; options of their own turn each part on.

A predictor that reads statistics of a loss network (`--predictor statistics`, statistics.py) learns in hours. It then
teaches a compact one (`--distill_from`, objective.py and build.py), which the optimiser Muon (`--optimizer muon`,
muon.py) trains further than Adam. Both predictors are in src/models/compact_prediction.py. scripts/pack_checkpoint.py
makes the file that is passed on, with an `--emphasis` of the style (src/deploy/pack.py). The recipes are
configs/compact.yaml, compact_distil.yaml and compact_vgg16.yaml. The recipes of the tables of styles (configs/n_styles*
and single_style*) take Muon over, where their papers have Adam.
"""
