"""The exception for a mistake of the user. `src.errors` shows it; all but what that imports takes it from there."""


class UserError(Exception):
    """What was found, what was expected, and the way out, in one line. Never shown with a traceback."""
