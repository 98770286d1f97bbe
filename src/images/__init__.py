"""Picture files in and out: the only place that decodes, encodes, resizes and pads."""
