"""The one exception whose text a user sees; it says what is wrong and what to do next.

Knows nothing about anything else.
"""


class PlaygroundError(Exception):
    """A mistake that can be explained: its message is shown as it is, on the page and in the API.

    ``status`` is the HTTP status the routes answer with (400 unless said otherwise).
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


UNFORESEEN = "The server made a mistake with this request; it is logged. Change something and try again."
"""What anybody is told of an error that is ours: no internals."""
