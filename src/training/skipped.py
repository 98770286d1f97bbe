"""Skipped steps: steps that did not change the weights, because their gradients had NaN or Inf."""

import logging

import numpy as np

from src.errors import UserError
from src.training.train_step import DONE, SKIPPED_HERE

logger = logging.getLogger("style_transfer")
MOST_IN_A_ROW = 10


class SkippedSteps:
    """Names the files of skipped steps, each once, and ends a training in which every step is skipped.

    Args:
        images: `src.data.dataset.PairedImages`.
        names: of the loss terms.
        start: steps done before.
    """

    def __init__(self, images, names, start):
        self._images, self._names = images, names
        self._named, self._in_a_row, self._saved = set(), 0, start

    @property
    def last_was_skipped(self) -> bool:
        """Whether the last step was skipped, so that no step has shown that the weights give finite losses."""
        return self._in_a_row > 0

    def saved(self, step):
        """Notes that a checkpoint of a step was written."""
        self._saved = step

    def look(self, first, results):
        """Examines the results of steps.

        Args:
            first: number of steps done before these.
            results: (terms, status) of each step, arrays, see `src.training.train_step`.

        Raises:
            UserError: too many steps in a row had NaN or Inf; the error names the step, the terms and the files.
        """
        for step, (terms, status) in enumerate(results, first):
            lost = not np.isfinite(terms).all()
            if status == DONE and not lost:
                self._in_a_row = 0
                continue
            if status == SKIPPED_HERE or lost:
                self._in_a_row += 1
                self._name(step, terms, status)

    def _name(self, step, terms, status):
        wrong = [name for name, value in zip(self._names, terms, strict=True) if not np.isfinite(value)]
        what = f"NaN or Inf in {', '.join(wrong) or 'the gradients'}"
        files = self._images.batch_files(step)
        listed = f"content images {', '.join(map(str, files[0]))}; style images {', '.join(map(str, files[1]))}"
        if self._in_a_row >= MOST_IN_A_ROW:
            raise UserError(
                f"step {step + 1}: {what}, for the {self._in_a_row}th time in a row; {listed}; look at these files, or "
                f"go on from step {self._saved} with a lower --learning_rate or with --clip_norm"
            )
        if not set(files[0] + files[1]) <= self._named:
            done = "" if status == DONE else ", skipped"
            logger.warning("step %d: %s%s; %s", step + 1, what, done, listed)
        self._named |= {*files[0], *files[1]}
