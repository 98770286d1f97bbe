"""Gatys et al. 2016: the pastiche itself is optimised, without a style transfer network."""
