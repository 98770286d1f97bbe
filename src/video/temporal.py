"""Frames that are steady over time: smoothed statistics of the instance norms, blending along the optical flow."""

import numpy as np

from src.video.measure import Steadiness, optical_flow, warp
from src.video.packages import import_cv2

# weights of the former statistics, and of the former pastiche where the flow is valid, in the next frame
KEEP_STATISTICS = 0.85
KEEP_PIXELS = 0.75
# flow, pixels a frame, at which that weight is halved, because each step of a fast motion blurs strokes a little more
HALVED_AT = 3.0
# two frames belong to different scenes when their thumbnails differ by this much, mean of [0, 1]
CUT = 0.18
# the former pastiche fades where the content, moved along the flow, differs by this much
FADE = 0.1
THUMBNAIL = (32, 18)


class Plain:
    """Each frame by itself.

    Args:
        stylizer: `src.stylize.stylizer.Stylizer`.
        side: of the tiles of all frames, from `Stylizer.side`; None to choose it for each.
    """

    def __init__(self, stylizer, side=None):
        self.stylizer, self.side, self.pastiche = stylizer, side, None

    def paint(self, content, embedding) -> np.ndarray:
        """The pastiche, uint8 (H, W, 3), of the next frame; `pastiche` keeps it."""
        self.pastiche = self.stylizer.stylize(content, embedding, side=self.side)
        return self.pastiche

    def state(self) -> dict:
        """The arrays on which the next frame depends, {name: array}. Each segment keeps them for a resumed run."""
        return {} if self.pastiche is None else {"pastiche": self.pastiche}

    def restore(self, state):
        """Goes on from a `state`."""
        self.pastiche = state.get("pastiche")

    def report(self) -> str:
        """Figures to print at the end."""
        return ""


class Steady:
    """Each frame with the statistics and the pastiche of the frame before; see the module.

    Statistics are smoothed where the engine has the graph for tiles, which takes them as an input. At a cut, both start
    anew. Differs from Ruder et al. 2016 (arXiv 1604.08610): no frame is optimised, each frame is blended once.

    Args:
        stylizer, side: as for `Plain`.
        measured: number of pairs of frames, from the start of each segment, for which the figures are measured. A
            measured frame is also stylised by itself.
    """

    def __init__(self, stylizer, side=None, measured=4):
        self.stylizer, self.side, self.measured = stylizer, side, measured
        self.content = self.pastiche = self.statistics = None
        self.since_start, self.plain, self.steadiness = 0, None, Steadiness()

    def paint(self, content, embedding) -> np.ndarray:
        """The pastiche, uint8 (H, W, 3), of the next frame."""
        kept = self.content if self.content is not None and not is_cut(self.content, content) else None
        pastiche = self._stylize(content, embedding, kept is not None)
        if kept is not None:
            flow, valid = optical_flow(kept, content)
            pastiche = blend_along(flow, valid, (kept, content), (self.pastiche, pastiche))
        if self.since_start <= self.measured:
            plain = self.stylizer.stylize(content, embedding, side=self.side)
            if kept is not None and self.plain is not None:
                self.steadiness.add((kept, content), (self.plain, plain), (self.pastiche, pastiche), flow, valid)
            self.plain = plain
        self.since_start += 1
        self.content, self.pastiche = content, pastiche
        return pastiche

    def _stylize(self, content, embedding, goes_on):
        found = self.stylizer.statistics(content, embedding, self.side)
        if found is None:
            self.statistics = None
            return self.stylizer.stylize(content, embedding, side=self.side)
        if goes_on and self.statistics is not None:
            found = KEEP_STATISTICS * self.statistics + (1 - KEEP_STATISTICS) * found
        self.statistics = found.astype(np.float32)
        return self.stylizer.stylize(content, embedding, statistics=self.statistics, side=self.side)

    def state(self) -> dict:
        """See `Plain.state`. The figures are part of it."""
        self.since_start, self.plain = 0, None
        sums = np.array([self.steadiness.sums[name] for name in Steadiness.NAMES] + [self.steadiness.pairs])
        kept = {"content": self.content, "pastiche": self.pastiche, "statistics": self.statistics, "sums": sums}
        return {name: value for name, value in kept.items() if value is not None}

    def restore(self, state):
        """Goes on from a `state`."""
        self.content, self.pastiche, self.statistics = (state.get(k) for k in ("content", "pastiche", "statistics"))
        self.steadiness = Steadiness(
            zip(Steadiness.NAMES, state["sums"][:-1].tolist(), strict=True), int(state["sums"][-1])
        )
        self.since_start, self.plain = 0, None

    def report(self) -> str:
        """Warping error and flicker."""
        return self.steadiness.text()


def is_cut(previous, current) -> bool:
    """Whether two frames belong to different scenes."""
    cv2 = import_cv2()
    one, other = (
        cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32) for image in (previous, current)
    )
    return float(np.abs(one - other).mean()) / 255 > CUT


def blend_along(flow, valid, contents, pastiches) -> np.ndarray:
    """The current pastiche mixed with the former one, moved along the flow, where that fits; uint8 (H, W, 3).

    Args:
        flow, valid: from `src.video.measure.optical_flow`.
        contents, pastiches: (previous, current), uint8 (H, W, 3).
    """
    cv2 = import_cv2()
    moved = warp(contents[0], flow).astype(np.float32)
    # the difference is averaged over a neighbourhood, because the noise of single pixels does not make the flow wrong
    difference = cv2.GaussianBlur(np.abs(moved - contents[1]).mean(2) / 255, (0, 0), 2)
    trust = valid * np.clip(1 - difference / FADE, 0, 1)
    kept = KEEP_PIXELS / (1 + np.linalg.norm(flow, axis=2, keepdims=True) / HALVED_AT)
    weight = kept * cv2.GaussianBlur(cv2.erode(trust.astype(np.float32), np.ones((3, 3))), (0, 0), 1.5)[..., None]
    former = warp(pastiches[0], flow, cubic=True).astype(np.float32)
    return np.rint(weight * former + (1 - weight) * pastiches[1]).astype(np.uint8)
