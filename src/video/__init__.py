"""Videos and the webcam: decoding, stylising steadily, encoding. Needs requirements-video.txt."""
