"""What is this file? Everything that can be refused before the work begins is refused here, in words."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from itertools import islice
from pathlib import Path

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bianlian.errors import UnreadableMedia, UnsupportedMedia
from bianlian.media.containers import codec_name, main_video, reading, time_base_of
from bianlian.media.images import describe_image, is_image
from bianlian.media.integrity import check_complete
from bianlian.media.layout import Layout, layout_of
from bianlian.media.limits import check_size
from bianlian.records.frame import ColourSpec, Matrix, SourceInfo, StreamInfo

_PROBED_FRAMES = 3
"""Enough to see the flags of interlaced pictures: a field pair is at most two frames away."""
_PROBED_PACKETS = 500
_HDR_TRANSFERS = {16: "PQ (HDR10, Dolby Vision)", 18: "HLG"}
"""H.273 table 3 transfer characteristics of high dynamic range."""
_FIELD_ORDERS_INTERLACED = {2, 3, 4, 5}
"""AVFieldOrder: TT, BB, TB, BT."""
_HASH_BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hex, read in blocks.

    Raises:
        UnreadableMedia: missing, not an ordinary file, no permission, or a disk fault.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_HASH_BLOCK):
                digest.update(block)
    except OSError as error:
        raise _cannot_open(path, error) from error
    return digest.hexdigest()


def require_unchanged(source: SourceInfo) -> None:
    """Look whether a file still holds what it held when it was described.

    Raises:
        UnreadableMedia: it does not, or is gone.
    """
    if sha256_of(source.path) != source.sha256:
        raise UnreadableMedia(
            f"{source.path.name} was changed while it was worked on.",
            advice="Nothing was released. Let nothing write to the footage, and run the command again.",
        )


def describe(path: Path) -> SourceInfo:
    """Look at a video or an image; its content decides what it is, not its name.

    Raises:
        UnreadableMedia: missing, a folder, no permission, empty, cut off, corrupt, not media.
        UnsupportedMedia: HDR, interlaced, transparent, encrypted, too large, or no decoder.
        NothingToSwap: no video in it.
    """
    _check_file(path)
    sha256 = sha256_of(path)
    if is_image(path):
        return describe_image(path, sha256)
    check_complete(path)
    with reading(path) as container:
        stream = main_video(container, path)
        _check_decodable(stream, path)
        check_size((stream.height, stream.width), path.name)
        first = _first_frame(container, stream, path)
        layout = layout_of(first, path.name)
        return _source(path, sha256, stream, first, layout)


def _source(path: Path, sha256: str, stream: VideoStream, first: VideoFrame, layout: Layout) -> SourceInfo:
    check_size(layout.size, path.name)
    rate = stream.average_rate or stream.guessed_rate or Fraction(0)
    time_base = time_base_of(stream)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return SourceInfo(
        path=path,
        sha256=sha256,
        is_image=False,
        container=stream.container.format.name.split(",")[0],
        codec=stream.codec_context.codec.canonical_name,
        size=layout.size,
        rotation=layout.orientation.degrees_clockwise,
        time_base=time_base,
        average_rate=rate,
        frame_estimate=stream.frames or round((stream.duration or 0) * time_base * rate),
        start_pts=first.pts or 0,
        colour=_colour(stream, first, layout, path.name),
        bit_depth=layout.bit_depth,
        chroma_shift=layout.chroma_shift,
        sample_aspect=1 / aspect if layout.orientation.swaps_axes else aspect,
        streams=tuple(_stream_info(other) for other in stream.container.streams if other.index != stream.index),
    )


def _stream_info(stream: Stream) -> StreamInfo:
    return StreamInfo(index=stream.index, kind=stream.type, codec=codec_name(stream), language=stream.language or "und")


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise UnreadableMedia(f"{path} is a folder.", advice="Name a file, or let the command go through the folder.")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableMedia(f"{path} is not an ordinary file.", advice="Copy the footage into a file first.")
        with path.open("rb"):
            pass
    except OSError as error:
        raise _cannot_open(path, error) from error
    if size == 0:
        raise UnreadableMedia(f"{path.name} is empty: it has zero bytes.", advice="Copy or download it again.")


def _cannot_open(path: Path, error: OSError) -> UnreadableMedia:
    if isinstance(error, FileNotFoundError):
        return UnreadableMedia(f"{path} does not exist.", advice="Check the name.")
    if isinstance(error, PermissionError):
        return UnreadableMedia(f"{path} may not be read by this user.", advice="Give yourself permission to read it.")
    return UnreadableMedia(f"{path} cannot be read: {error.strerror or error}.", advice="Check the disk and the name.")


def _check_decodable(stream: VideoStream, path: Path) -> None:
    # PyAV gives no codec context where the build has no decoder, whatever its annotations say.
    if not stream.codec_context or not stream.codec_context.name:
        raise UnsupportedMedia(
            f"{path.name}: no decoder for this kind of video is installed.",
            advice="Convert the file to H.264 in mp4 and try again.",
        )
    if stream.codec_tag in {"encv", "drmi"}:
        raise _encrypted(path)
    if stream.codec_tag in {"dvh1", "dvhe", "dva1", "dvav"}:
        raise _high_dynamic_range(path, "Dolby Vision")
    if stream.metadata.get("alpha_mode") == "1":
        raise UnsupportedMedia(
            f"{path.name} has transparency, which mp4 and mov with H.264 or HEVC cannot carry.",
            advice="Flatten it over its background first.",
        )


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    """Decode the first pictures, and refuse what their flags show."""
    frames: list[VideoFrame] = []
    packet: Packet[VideoStream]
    for packet in islice(container.demux(stream), _PROBED_PACKETS):
        if packet.has_sidedata("encryption_info"):
            raise _encrypted(path)
        frames += packet.decode()
        if len(frames) >= _PROBED_FRAMES:
            break
    if not frames:
        raise UnreadableMedia(
            f"{path.name}: no picture of its video can be decoded.", advice="The file is damaged; get it again."
        )
    if stream.codec_context.field_order in _FIELD_ORDERS_INTERLACED or any(f.interlaced_frame for f in frames):
        raise interlaced(path)
    return frames[0]


def interlaced(path: Path) -> UnsupportedMedia:
    """The refusal of interlaced footage."""
    return UnsupportedMedia(
        f"{path.name} is interlaced: each picture holds two moments, line by line, and a face drawn into it would comb.",
        advice="Deinterlace it first, for example with FFmpeg's bwdif filter, and give the result.",
    )


def _encrypted(path: Path) -> UnsupportedMedia:
    return UnsupportedMedia(f"{path.name} is encrypted.", advice="Give a copy that is not protected.")


def _high_dynamic_range(path: Path, what: str) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"{path.name} is high dynamic range ({what}); treating it as ordinary video would wash its colours out.",
        advice="Convert it to SDR (BT.709) with a tone mapper first, and give the result.",
    )


def _colour(stream: VideoStream, frame: VideoFrame, layout: Layout, name: str) -> ColourSpec:
    """Colour tags of the frames that `decode` yields; the picture's own go before the container's."""
    context = stream.codec_context
    transfer = _tagged(frame.color_trc, context.color_trc)
    if transfer in _HDR_TRANSFERS:
        raise _high_dynamic_range(Path(name), _HDR_TRANSFERS[transfer])
    matrix = layout.source_matrix if layout.source_matrix != Matrix.UNSPECIFIED else context.colorspace
    matrix = Matrix.UNSPECIFIED if matrix == 3 else matrix
    if matrix == Matrix.RGB or matrix not in set(Matrix):
        raise UnsupportedMedia(
            f"{name} uses colour matrix number {matrix} of H.273, which is not treated here.",
            advice="Convert it to BT.709 first.",
        )
    return ColourSpec(
        matrix=matrix,
        primaries=_tagged(frame.color_primaries, context.color_primaries),
        transfer=transfer,
        full_range=layout.full_range,
    )


def _tagged(of_frame: int, of_stream: int) -> int:
    """A tag, 2 ('unspecified') where neither says anything; 0 and 3 are reserved."""
    for value in (of_frame, of_stream):
        if value not in {0, 2, 3}:
            return value
    return 2
