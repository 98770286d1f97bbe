"""Measuring pastiches: of a model, or of pictures that another program made."""
