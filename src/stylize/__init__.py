"""Pictures in, pictures out: the one path that evaluation, `stylize.py` and services take."""
