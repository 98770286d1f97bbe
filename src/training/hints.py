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
    """Root mean square of every channel that the teacher reads, one array (1, C, 1, 1) a stage: the student learns
    features of about 1, as new weights give them. Channels that are nearly always 0 get a twentieth of their stage's.
    """
    center = teacher.center.asnumpy()
    units, start = [], 0
    for channels in CompactPredictor.CHANNELS:
        mean, deviation = center[start : start + 2 * channels].reshape(2, channels)
        square = mean**2 + deviation**2
        units.append(np.sqrt(np.maximum(square, square.mean() / 400)).reshape(1, channels, 1, 1))
        start += 2 * channels
    return units


def hand_over_end(teacher, student, units):
    """Gives the student's statistics the teacher's meaning: its dense layers, its standardisation in other units."""
    divisor = np.concatenate([np.tile(unit.ravel(), 2) for unit in units])
    given = to_arrays(teacher)
    given["center"], given["scale"] = given["center"] / divisor, given["scale"] / divisor
    load_into(student, {**to_arrays(student), **given}, "the teacher")
