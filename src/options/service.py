"""Options of app.py, and the fields of a request to stylise a picture."""

from dataclasses import dataclass

from src.options.option import Options, PathText, option


@dataclass(frozen=True)
class ServiceConfig(Options):
    host: str = option(
        "127.0.0.1", "address to listen on; 0.0.0.0 is every address of the machine", aliases=("address",), common=True
    )
    port: int = option(8000, "port to listen on", least=1, most=65535, zero="for a free one", common=True)
    token_file: PathText = option(
        "",
        "file whose first line is the token that requests must bring (Authorization: Bearer ...); empty asks for none",
        common=True,
    )
    hosts: list[str] = option(
        [],
        "names by which clients may call the service; empty takes every name, on the loopback address only that one's",
    )
    gallery: PathText = option(
        "", "folder of style images that the service offers by name; empty takes dataset/test/style", common=True
    )
    samples: PathText = option(
        "", "folder of photographs that the page offers to try with; empty takes dataset/test/content"
    )
    workers: int = option(
        2,
        "pictures in work at the same time: while one is read or written, the engine has all cores for another",
        least=1,
    )
    queue: int = option(16, "pictures that may wait; more are refused with 429 and Retry-After", least=0, common=True)
    max_megabytes: float = option(25.0, "largest request, millions of bytes", above=0, common=True)
    max_megapixels: float = option(25.0, "largest picture, sent or asked for, millions of pixels", above=0, common=True)
    max_video_megabytes: float = option(200.0, "largest request with a video, millions of bytes", above=0)
    max_video_seconds: float = option(60.0, "longest video", above=0)
    receive_seconds: float = option(30.0, "time in which a request must have arrived", above=0)
    work_seconds: float = option(120.0, "time in which a picture must be done, waiting included", above=0)
    cached_styles: int = option(1000, "style embeddings that are kept, those used last", least=1)


@dataclass(frozen=True)
class PictureRequest(Options):
    """The fields of POST /api/stylize beside the pictures."""

    weights: list[float] = option([], "a weight for each style, separated by commas; empty for equal weights", least=0)
    strength: float = option(
        1.0, "0 keeps the content's own style, 1 is the style, up to 1.5 exaggerates", least=0, most=1.5
    )
    size: int = option(0, "short side of the result, pixels", least=1, most=16384, zero="for the content's own size")
    colours: str = option(
        "none",
        "colours of the content that are kept: luma changes brightness only, match keeps their mean and covariance",
        choices=("none", "luma", "match"),
    )
    format: str = option("png", "format of the result", choices=("png", "jpeg", "webp"))
