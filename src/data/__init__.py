"""From image files to batches of content and style images."""
