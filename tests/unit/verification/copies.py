"""What happens to files on their way: each function writes a changed copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from bianlian.records.arrays import U8


def flipped_bit(source: Path, path: Path, needle: bytes, *, after: int = 0) -> Path:
    """A copy with one bit changed, `after` bytes beyond the last `needle`."""
    data = bytearray(source.read_bytes())
    data[data.rindex(needle) + after] ^= 1
    path.write_bytes(bytes(data))
    return path


def remuxed(source: Path, path: Path, *, keeps_tags: bool = True) -> Path:
    """The same coded pictures in a new container."""
    options = {"movflags": "use_metadata_tags"} if keeps_tags else {}
    with av.open(str(source)) as before, av.open(str(path), "w", options=options) as after:
        stream = before.streams.video[0]
        copy = after.add_stream_from_template(stream)
        if keeps_tags:
            after.metadata.update(before.metadata)
        for packet in before.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                after.mux(packet)
    return path


def recoded(source: Path, path: Path, *, crf: int = 23, change: Callable[[U8], U8] = lambda rgb: rgb) -> Path:
    """Decoded, changed and coded again, with nothing but pictures kept."""
    with av.open(str(source)) as before, av.open(str(path), "w") as after:
        video = None
        for number, picture in enumerate(before.decode(video=0)):
            rgb = np.ascontiguousarray(change(picture.to_ndarray(format="rgb24")))
            if video is None:
                video = after.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast"})
                video.height, video.width = rgb.shape[:2]
                video.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts = number
            frame.time_base = 1 / video.codec_context.framerate
            after.mux(video.encode(frame))
        assert video is not None
        after.mux(video.encode(None))
    return path


def scaled(share: float) -> Callable[[U8], U8]:
    def change(rgb: U8) -> U8:
        size = tuple(round(side * share / 2) * 2 for side in rgb.shape[1::-1])
        return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)

    return change


def screenshot(source: Path, path: Path, *, quality: int = 90) -> Path:
    """The first picture as a still; the suffix chooses the kind."""
    with av.open(str(source)) as container:
        rgb = next(container.decode(video=0)).to_ndarray(format="rgb24")
    cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]), (cv2.IMWRITE_JPEG_QUALITY, quality))
    return path
