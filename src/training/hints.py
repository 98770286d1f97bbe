"""How a compact predictor learns the feature maps that a statistics predictor reads (see `Distillation`)."""

import numpy as np

from src.errors import UserError
from src.models.style_prediction import CompactPredictor, StatisticsPredictor
from src.weights.native import load_into, to_arrays


def check_hints(student, teacher, where):
    """Raises a UserError unless the student's stages can learn the feature maps that the teacher reads."""
    if not isinstance(student, CompactPredictor) or not isinstance(teacher, StatisticsPredictor):
        raise UserError(
            f"option hint_weight: needs --predictor compact and a teacher with a statistics predictor; {where} has a "
            f"{type(teacher).__name__}; set it to 0"
        )
    if student.center.shape != teacher.center.shape:
        raise UserError(
            f"option hint_weight: the teacher {where} reads {teacher.center.shape[0]} statistics, the compact "
            f"predictor has {student.center.shape[0]} (distilled_vgg19's); set it to 0"
        )


def hint_units(teacher) -> list:
    """Root mean square of the feature maps that the teacher reads, one number a stage.

    In these units the student learns features of about 1, as new weights give them. One unit for all channels of a
    stage: a channel that is nearly always 0 would need weights that are out of Adam's reach to get there.
    """
    center = teacher.center.asnumpy()
    units, start = [], 0
    for channels in CompactPredictor.CHANNELS:
        units.append(float(np.sqrt(2 * np.mean(np.square(center[start : start + 2 * channels])))))
        start += 2 * channels
    return units


def hand_over_end(teacher, student, units):
    """Gives the student's statistics the teacher's meaning: its dense layers, its standardisation in other units."""
    divisor = np.repeat(np.float32(units), [2 * channels for channels in CompactPredictor.CHANNELS])
    given = to_arrays(teacher)
    given["center"], given["scale"] = given["center"] / divisor, given["scale"] / divisor
    load_into(student, {**to_arrays(student), **given}, "the teacher")
