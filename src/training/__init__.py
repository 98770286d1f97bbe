"""Training: a step, the loop, and the files of a run."""
