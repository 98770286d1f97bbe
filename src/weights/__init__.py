"""Checkpoints: this project's, the published MindSpore ones, and those of other frameworks."""
