"""What the tests of eval.py share: its table read again, and a method that needs no network."""

import csv

import numpy as np


def read_rows(folder):
    with open(folder / "metrics.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Counting:
    """A method that returns the content with the style's mean colour in its corner, and counts its calls."""

    def __init__(self):
        self.embedded, self.stylised = 0, 0

    def embed(self, style):
        self.embedded += 1
        return style.mean((0, 1)).astype(np.uint8)

    def stylize(self, content, embedding):
        self.stylised += 1
        pastiche = content.copy()
        pastiche[0, 0] = embedding
        return pastiche
