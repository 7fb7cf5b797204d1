"""Make short videos in code, where the extra `video` is installed."""

import io
from collections.abc import Sequence

import av
import numpy as np


def make_video(
    seconds: float = 3.0, *, rate: int = 10, size: tuple[int, int] = (96, 64), format: str = "mp4", codec: str = "mpeg4"
) -> bytes:
    """Return a video that is grey and becomes brighter with every frame."""
    return encode_frames(
        [
            np.full((size[1], size[0], 3), 20 + 200 * n // int(seconds * rate), np.uint8)
            for n in range(int(seconds * rate))
        ],
        rate=rate,
        format=format,
        codec=codec,
    )


def encode_frames(frames: Sequence[np.ndarray], *, rate: int = 10, format: str = "mp4", codec: str = "mpeg4") -> bytes:
    """Return a video of these pictures, (H, W, 3) each."""
    target = io.BytesIO()
    with av.open(target, "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2] if frames else (64, 96)
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return target.getvalue()


def make_sound() -> bytes:
    """Return an MP4 without pictures."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()
