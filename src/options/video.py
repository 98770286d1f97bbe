"""Options of videos and of the webcam, for stylize.py."""

from dataclasses import dataclass

from src.options.option import Options, option


@dataclass(frozen=True)
class VideoConfig(Options):
    codec: str = option(
        "", "video encoder, such as libx264, libx265, libvpx-vp9, prores_ks; empty chooses by the ending"
    )
    crf: int = option(
        18, "constant quality of the encoder, lower is better; for encoders that have one", least=0, most=63
    )
    preset: str = option("", "speed of the encoder, such as fast or slow; empty takes the encoder's own")
    fps: float = option(0.0, "frames a second of the output", above=0, zero="for every frame at its own time")
    start: float = option(0.0, "second of the video to start at", least=0)
    duration: float = option(0.0, "seconds to stylise", above=0, zero="for all that follow")
    schedule: list[float] = option(
        [],
        "second at which each of --styles is reached, between them the styles are mixed; empty mixes them at once",
        least=0,
    )
    temporal: bool = option(False, "steady over time: statistics smoothed, frames blended along the optical flow")
    frames: int = option(
        0, "frames to take from a webcam, written to the output", least=1, zero="for a window until it is closed"
    )
