"""Checkpoints: this project's, the published MindSpore ones, and what other frameworks left."""
