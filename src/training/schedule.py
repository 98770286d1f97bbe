"""Learning rate by step."""

import numpy as np


def learning_rates(train_options) -> np.ndarray:
    """Learning rate of every step, float32 (steps,): a linear warm-up from 0, then the decay to lr_final.

    Args:
        train_options: `src.sections.TrainConfig`.
    """
    steps = np.arange(train_options.steps, dtype=np.float64)
    part = np.clip(
        (steps - train_options.warmup_steps) / max(1, train_options.steps - 1 - train_options.warmup_steps), 0, 1
    )
    high, low = train_options.learning_rate, train_options.lr_final
    if train_options.lr_schedule == "linear":
        rates = high + (low - high) * part
    elif train_options.lr_schedule == "cosine":
        rates = low + (high - low) * 0.5 * (1 + np.cos(np.pi * part))
    elif train_options.lr_schedule == "exponential":
        rates = high * (max(low, 1e-12) / high) ** part
    else:
        rates = np.full_like(part, high)
    warm = np.minimum(1.0, (steps + 1) / max(1, train_options.warmup_steps + 1))
    return (rates * warm).astype(np.float32)
