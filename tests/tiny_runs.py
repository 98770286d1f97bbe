"""What tests of training have in common: where a run takes place, and losses that a tiny one needs."""

from src.runtime import Runtime

RUNTIME = Runtime("CPU", 0, "graph", "float32", 1, 0, 1)
LOSS = {
    "loss_network": "distilled_vgg19",
    "content_taps": {"relu3_1": 1.0},
    "style_taps": {"relu1_1": 1.0, "relu2_1": 1.0},
    "normalize_losses": True,
    "style_loss_clamp": 20.0,
}
