"""The optional packages of videos, imported where they are needed first."""

from pathlib import Path

from src.errors import UserError

SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".mpg",
    ".mpeg",
    ".ts",
    ".mts",
    ".m2ts",
    ".ogv",
    ".wmv",
    ".3gp",
)
# read as a picture, or as a video where the output is a video
ANIMATIONS = (".gif",)


def is_video(content, output="") -> bool:
    """Whether a content is stylised as a video: `webcam`, or by its ending, of a GIF by the output's as well."""
    if str(content).startswith("webcam") and not Path(content).suffix:
        return not Path(content).exists()
    suffix, target = Path(content).suffix.lower(), Path(output or "").suffix.lower()
    return suffix in SUFFIXES or (suffix in ANIMATIONS and target in (*SUFFIXES, *ANIMATIONS))


def import_av():
    """The package PyAV.

    Raises:
        UserError: the package is not installed.
    """
    try:
        import av
    except ImportError:
        raise UserError(
            "videos need the package av, which is not installed; run 'pip install -r requirements-video.txt'"
        ) from None
    # FFmpeg's threads must not log through Python: they would wait for the lock that a thread closing them holds
    av.logging.set_level(None)
    return av


def import_cv2():
    """The package OpenCV.

    Raises:
        UserError: the package is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise UserError(
            "--temporal and the webcam need OpenCV, which is not installed; run 'pip install -r requirements-video.txt'"
        ) from None
    cv2.setLogLevel(0)  # without OpenCV's lines about a missing camera, for which there is a UserError
    return cv2
