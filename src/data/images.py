"""Where `src.images.files` was in former versions, whose README imported these two names from here."""

from src.images.files import read_image, write_image

__all__ = ["read_image", "write_image"]
