"""What a client is told when its request is not served. Imports no FastAPI."""

import math


class Refusal(Exception):
    """A request that is not served.

    Args:
        status: of HTTP, 400 to 599.
        message: what was found, what was expected, and the way out, in one line.
        retry_after: seconds after which the client may ask again, None where asking again does not help.
    """

    def __init__(self, status, message, retry_after=None):
        super().__init__(message)
        self.status, self.message = status, message
        self.headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"
