"""From files to files: optimises contents one after another, and writes checkpoints, losses and progress.

Beside a checkpoint picture lies `<its stem>.state.npz`. This file holds the pastiche before rounding and the state of
the optimiser (Adam's moments, counters and loss scale; the history of L-BFGS). So a resumed run gives the same picture
as a run without a stop. Only the newest state file is kept. Where it is missing, a run goes on from the picture alone.
"""

import re
from pathlib import Path

import numpy as np

from src.arrays import read_arrays
from src.errors import UserError
from src.files import atomic_write, check_folder
from src.images.files import check_writable, read_image, to_network, write_image
from src.losses import shown_terms
from src.optimize.settings import plan_levels
from src.training.log import LossLog


class Checkpoints:
    """The checkpoint pictures of one pastiche.

    Args:
        pattern: path with one %s for the iteration.
        overwrite: whether pictures of another run may be replaced.
        resume: whether existing pictures are those of this run.

    Raises:
        UserError: a pattern that names no picture, or existing pictures without `overwrite` and `resume`.
    """

    def __init__(self, pattern, overwrite, resume):
        self.pattern = Path(pattern).expanduser()
        if self.pattern.name.count("%") != 1 or "%s" not in self.pattern.name or "%" in str(self.pattern.parent):
            raise UserError(
                f"option checkpoint_output: found {pattern!r}, expected one %s for the iteration in the name of the "
                "picture, such as out_%s.png"
            )
        check_folder(self.pattern.parent, "checkpoint_output")
        check_writable(self.picture("0"))
        found = self.numbers()
        if found and not (overwrite or resume):
            raise UserError(
                f"{self.picture(found[-1])}: exists already; add --overwrite, or --resume to go on from it, or choose "
                "another --checkpoint_output"
            )
        if resume and not found:
            raise UserError(
                f"option resume: no checkpoint picture {self.pattern} is there; leave --resume out to start one"
            )

    def picture(self, number) -> Path:
        """The picture of an iteration."""
        return self.pattern.with_name(self.pattern.name.replace("%s", str(number)))

    def numbers(self) -> list[int]:
        """Iterations of which there are pictures, in order."""
        before, after = map(re.escape, self.pattern.name.split("%s"))
        folder = self.pattern.parent
        found = (re.fullmatch(f"{before}(\\d+){after}", path.name) for path in folder.glob("*") if path.is_file())
        return sorted(int(match[1]) for match in found if match)

    def _state(self, number):
        picture = self.picture(number)
        return picture.with_name(f"{picture.stem}.state.npz")

    def save(self, number, image, state):
        """Writes a picture and the state beside it, and drops older states."""
        write_image(self.picture(number), image)
        with atomic_write(self._state(number)) as temporary:
            np.savez(temporary, **state)
        for other in self.numbers():
            if other != number:
                self._state(other).unlink(missing_ok=True)

    def load(self) -> dict:
        """The state for `src.optimize.method.Gatys.optimize`: the newest picture, and the state file where it exists.

        Raises:
            UserError: an unreadable file.
        """
        numbers = self.numbers()
        # older pictures may be those of another run, which --overwrite replaces
        number = max([number for number in numbers if self._state(number).is_file()] or numbers)
        path = self._state(number)
        if not path.is_file():
            return {"iteration": number, "pastiche": to_network(read_image(self.picture(number)))}
        return read_arrays(path, "remove it to go on from the picture beside it")


class Outputs:
    """Everything that an optimisation writes beside its pastiche. Checks before the work whether it can be written.

    Args:
        settings: `src.sections.OptimizeConfig`.
        jobs: number of contents; checkpoints and losses are for a single content.
        overwrite: whether files may be replaced.

    Raises:
        UserError: options that contradict each other, or files that are there already.
    """

    def __init__(self, settings, jobs, overwrite):
        self.settings, self.checkpoints = settings, None
        if bool(settings.checkpoint_iterations) != bool(settings.checkpoint_output):
            raise UserError("options checkpoint_iterations and checkpoint_output: found one of them, expected both")
        if settings.resume and not settings.checkpoint_output:
            raise UserError("option resume: needs --checkpoint_output and --checkpoint_iterations, to find the picture")
        if jobs > 1 and (settings.checkpoint_output or settings.losses):
            raise UserError("options checkpoint_output and losses: are for one content, found a folder of them")
        if settings.checkpoint_output:
            self.checkpoints = Checkpoints(settings.checkpoint_output, overwrite, settings.resume)
        self.losses = Path(settings.losses).expanduser() if settings.losses else None
        if self.losses:
            if self.losses.suffix.lower() != ".csv":
                raise UserError(f"option losses: found {self.losses}, expected the name of a .csv file")
            check_folder(self.losses.parent, "losses")
            for path in (self.losses, self.curves):
                if path.exists() and not (overwrite or settings.resume):
                    raise UserError(f"{path}: exists already; add --overwrite or choose another name")

    @property
    def curves(self) -> Path:
        """The PNG beside the CSV."""
        return self.losses.with_name(f"{self.losses.stem}_curves.png")

    def state(self, content):
        """The state to go on from, or None for a new start.

        Raises:
            UserError: the state is of a picture of another size, of another optimiser, or past the last iteration.
        """
        if not self.settings.resume:
            return None
        state, levels = self.checkpoints.load(), plan_levels(self.settings, content.shape[1])
        number = int(state["iteration"])
        where = self.checkpoints.picture(number)
        if number > levels[-1].last:
            raise UserError(f"option resume: {where} is past the last iteration, {levels[-1].last}; raise --iterations")
        width = next(level.width for level in levels if number <= level.last)
        found = state["pastiche"].shape[3]
        if found != width:
            raise UserError(
                f"option resume: {where} is {found} pixels wide, the options make {width} at that iteration"
            )
        marks = {"adam": "moment1", "lbfgs": "moves"}
        if len(state) > 2 and marks[self.settings.optimizer] not in state:
            raise UserError(f"option resume: {where} was not made by {self.settings.optimizer}; use that --optimizer")
        return state


def optimize_content(method, content, styles, initial, outputs, progress=None):
    """The pastiche of one content, uint8 (H, W, 3), and the files beside it.

    Args:
        method: `src.optimize.method.Gatys`.
        content: uint8 (H, W, 3), see `src.optimize.settings.size_content`.
        styles: uint8 images.
        initial: uint8 image to start from, or None.
        outputs: `Outputs`.
        progress: function of the iterations done, of all iterations, and of a text with the losses; or None.

    Raises:
        UserError: a checkpoint from which this run can't go on, or NaN in a loss.
    """
    settings = method.settings
    state = outputs.state(content)
    done = int(state["iteration"]) if state else 0
    total = plan_levels(settings, content.shape[1])[-1].last
    log = None
    if outputs.losses:
        outputs.losses.parent.mkdir(parents=True, exist_ok=True)
        log = LossLog(outputs.losses, method.names, done, total)
    rows = []
    for iteration in method.optimize(content, styles, initial, state):
        _check_finite(iteration, method.names)
        if log:
            rows.append(iteration.terms)
        number, last = iteration.number, iteration.number == iteration.total
        report = last or number % settings.print_iterations == 0
        save = outputs.checkpoints and (last or number % settings.checkpoint_iterations == 0)
        # Rows are written before each checkpoint picture. A resumed run can drop rows after its checkpoint, but
        # it cannot restore missing rows before it.
        if log and (report or save):
            log.write(number - len(rows) + 1, [settings.learning_rate] * len(rows), rows)
            rows = []
        if report and progress:
            progress(number, total, shown_terms(method.names, iteration.terms))
        if save:
            outputs.checkpoints.save(number, method.image(content), method.state())
    if log:
        log.close()
        log.curves(outputs.curves)
    return method.image(content)


def _check_finite(iteration, names):
    if not np.isfinite(iteration.terms).all():
        wrong = ", ".join(n for n, v in zip(names, iteration.terms, strict=True) if not np.isfinite(v))
        raise UserError(
            f"iteration {iteration.number}: NaN or Inf in {wrong}; use a lower --learning_rate, or --normalize_losses"
        )
