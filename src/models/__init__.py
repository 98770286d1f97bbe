"""Networks: style transfer, style prediction, and the loss networks that judge them."""
