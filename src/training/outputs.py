"""What a training run writes while it runs: checkpoints, losses, grids of test pairs."""

import logging
from pathlib import Path

import yaml

from src.config import to_dict
from src.files import atomic_write
from src.sections import SECTIONS
from src.training.log import LossLog
from src.training.preview import Preview
from src.training.schedule import learning_rates
from src.training.skipped import SkippedSteps

logger = logging.getLogger("style_transfer")


class Outputs:
    """The files of a run, which the first rank writes alone. `src.training.files` lists them.

    Args:
        run: `src.training.run.Run`.
        folder: the output folder.
    """

    def __init__(self, run, folder):
        self._run, self._folder = run, Path(folder)
        self._writes = run.runtime.is_main
        options, images, names = run.options, run.images, run.objective.names
        self._rates = learning_rates(options.train)
        if self._writes:
            self._folder.mkdir(parents=True, exist_ok=True)
            sections = {name: to_dict(section) for name, section in vars(options).items() if name in SECTIONS}
            with atomic_write(self._folder / "options.yaml") as temporary:
                temporary.write_text(yaml.safe_dump(sections))
            csv = self._folder / "losses.csv"
            self._log = LossLog(csv, names, run.start, options.train.steps, options.train.summary)
            self._preview = Preview(run.model, *images.all_files(), options.data.image_size)
        self._skipped = SkippedSteps(images, names, run.start)

    @property
    def last_was_skipped(self) -> bool:
        """Whether the last step that was logged gave NaN or Inf."""
        return self._skipped.last_was_skipped

    def log(self, first, results):
        """Writes the results of steps, and looks for NaN or Inf in them.

        Args:
            first: number of steps done before these.
            results: (terms, status) of each step, tensors, see `src.training.train_step`.

        Raises:
            UserError: too many such steps in a row.
        """
        results = [(terms.asnumpy(), status.asnumpy()) for terms, status in results]
        self._skipped.look(first, results)
        if self._writes:
            rates = self._rates[first : first + len(results)]
            self._log.write(first + 1, rates, [terms for terms, _ in results])

    def save(self, step):
        """Writes the checkpoint of a step."""
        if self._writes:
            self._run.save(step)
        self._skipped.saved(step)

    def draw(self, step):
        """Draws the grid of a step."""
        if self._writes:
            self._preview.draw(self._folder / "grids" / f"step_{step:08d}.png", self._run.weights())

    def close(self):
        """Closes the losses' files."""
        if self._writes:
            self._log.close()

    def finish(self, step):
        """Draws the curves of the losses at the end of a run."""
        if self._writes:
            self._log.curves(self._folder / "losses.png")
            logger.info("done: %s", self._run.checkpoints.model_file(step))
