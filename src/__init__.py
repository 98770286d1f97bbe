"""Arbitrary style transfer (Ghiasi et al. 2017) and its family, in MindSpore."""

from src import runtime as _runtime  # noqa: F401  prepares the environment before anything imports mindspore
