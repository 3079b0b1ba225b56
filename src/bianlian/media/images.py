"""Still pictures: PNG, JPEG and WebP, upright, with their profile and the rest of their metadata kept."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from bianlian.errors import CallerError, InternalError, UnreadableMedia, UnsupportedMedia
from bianlian.media.limits import check_size
from bianlian.media.publish import publishing
from bianlian.records.arrays import U8
from bianlian.records.composite import MarkedFrame
from bianlian.records.frame import ColourSpec, Frame, Matrix, SourceInfo
from bianlian.records.time import Instant

_FORMATS = ("PNG", "JPEG", "WEBP")
_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_COLOUR = ColourSpec(matrix=Matrix.RGB, primaries=1, transfer=13, full_range=True)
"""sRGB: BT.709 primaries, IEC 61966-2-1 transfer."""
_ORIENTATION, _MAKER_NOTE, _EXIF_IFD = 0x0112, 0x927C, 0x8769
_TURNED = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
"""Degrees clockwise of each EXIF orientation; 2, 4, 5 and 7 are mirrored too."""
_JPEG_QUALITY = 95
"""With full chroma: 47.9 to 49.0 dB on a frame of five clips (three synthetic, two real)."""


def is_image(path: Path) -> bool:
    """Whether the content begins as PNG, JPEG or WebP does."""
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def describe_image(path: Path, sha256: str) -> SourceInfo:
    """Describe an image file.

    Raises:
        UnreadableMedia: damaged or cut off.
        UnsupportedMedia: animated, CMYK, more than 8 bits, too large.
    """
    with _opened(path) as image:
        # Phones' JPEGs with further pictures in them (depth, gain map) call themselves MPO.
        kind = "jpeg" if image.format == "MPO" else (image.format or "").lower()
        orientation = image.getexif().get(_ORIENTATION, 1)
        width, height = image.size
    return SourceInfo(
        path=path,
        sha256=sha256,
        is_image=True,
        container=kind,
        codec=kind,
        size=(width, height) if orientation in {5, 6, 7, 8} else (height, width),
        rotation=_TURNED.get(orientation, 0),
        time_base=Fraction(1),
        average_rate=Fraction(0),
        frame_estimate=1,
        start_pts=0,
        colour=_COLOUR,
        bit_depth=8,
        chroma_shift=(0, 0),
        sample_aspect=Fraction(1),
        streams=(),
    )


def read_image(source: SourceInfo) -> Frame:
    """The image as one frame: planes R, G, B, upright. Transparency stays in the file and returns in `write_image`.

    Raises:
        UnreadableMedia, UnsupportedMedia: as `describe_image`.
    """
    with _opened(source.path) as image:
        rgb = np.asarray(_upright(image).convert("RGB"))
    red, green, blue = (np.ascontiguousarray(rgb[:, :, channel]) for channel in range(3))
    return Frame(
        index=0,
        instant=Instant(pts=0, time_base=Fraction(1)),
        duration=0,
        planes=(red, green, blue),
        colour=_COLOUR,
        bit_depth=8,
    )


def write_image(marked: MarkedFrame, path: Path, *, xmp: bytes, source: SourceInfo) -> tuple[str, ...]:
    """Write a marked image as PNG (lossless), WebP (lossless) or JPEG, as the suffix of `path` says.

    Kept: colour profile, EXIF (orientation reset), transparency, text. `xmp` replaces the source's XMP packet.

    Returns:
        A sentence for everything that was left out.

    Raises:
        CallerError: another suffix.
        InternalError: not a `MarkedFrame`, or of another size than the source.
        UnsupportedMedia: transparency into JPEG.
        InstallationError: the disk is full or may not be written.
    """
    if not isinstance(marked, MarkedFrame):
        raise InternalError(f"only marked frames are written, got {type(marked).__name__}")
    if marked.frame.size != source.size or marked.frame.bit_depth != 8:
        raise InternalError(f"the frame does not fit its image: {marked.frame.size} instead of {source.size}")
    kind = image_kind(path)
    pixels = np.dstack(marked.frame.planes)
    dropped: list[str] = []
    with _opened(source.path) as original:
        exif = _without_previews(original.getexif(), dropped)
        profile = original.info.get("icc_profile")
        text = {k: v for k, v in getattr(original, "text", {}).items() if k not in {"XML:com.adobe.xmp", "AIGC"}}
        alpha = _alpha(original)
        if getattr(original, "n_frames", 1) > 1:
            dropped.append("Further pictures inside the file (depth map, gain map or preview) were left out.")
    if text and kind != "PNG":
        dropped.append(f"Text entries were left out, only PNG has them: {', '.join(sorted(text))}.")
    picture = Image.fromarray(pixels if alpha is None else np.dstack((pixels, alpha)))
    if alpha is not None and kind == "JPEG":
        raise UnsupportedMedia("JPEG has no transparency, and the image does.", advice="Write a .png or .webp file.")
    with publishing(path) as draft:
        _save(picture, draft, kind=kind, xmp=xmp, profile=profile, exif=exif, text=text)
    return tuple(dropped)


def write_picture(marked: MarkedFrame, path: Path, *, xmp: bytes) -> None:
    """Write a marked picture that was made here, such as a contact sheet: no source, nothing to keep. Else as `write_image`."""
    if not isinstance(marked, MarkedFrame):
        raise InternalError(f"only marked frames are written, got {type(marked).__name__}")
    with publishing(path) as draft:
        picture = Image.fromarray(np.dstack(marked.frame.planes))
        _save(picture, draft, kind=image_kind(path), xmp=xmp, profile=None, exif=b"", text={})


def image_kind(path: Path) -> str:
    """PNG, JPEG or WEBP, from the suffix of an output name.

    Raises:
        CallerError: another suffix.
    """
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise CallerError(
            f"{path.name}: images are written as png, jpg or webp.", advice="Choose one of these as the suffix."
        )
    return kind


def _save(
    picture: Image.Image, path: Path, *, kind: str, xmp: bytes, profile: bytes | None, exif: bytes, text: dict[str, str]
) -> None:
    common = {"icc_profile": profile} if profile else {}
    if exif:
        common["exif"] = exif
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        for key, value in text.items():
            info.add_itxt(key, value)
        info.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8"))
        picture.save(path, "PNG", pnginfo=info, **common)
    elif kind == "WEBP":
        picture.save(path, "WEBP", lossless=True, exact=True, xmp=xmp, **common)
    else:
        picture.save(path, "JPEG", quality=_JPEG_QUALITY, subsampling=0, xmp=xmp, **common)


@contextmanager
def _opened(path: Path) -> Generator[Image.Image, None, None]:
    """Open and decode an image under the limits."""
    try:
        with warnings.catch_warnings():
            # The limit is checked below, with a sentence.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=_FORMATS)
        with image:
            check_size((image.height, image.width), path.name)
            _check_kind(image, path)
            image.load()
            yield image
    except Image.DecompressionBombError as error:
        raise UnsupportedMedia(f"{path.name} is too large a picture.", advice="Scale it down first.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise UnreadableMedia(
            f"{path.name} cannot be read as an image: {error}.", advice="The file is damaged or cut off; get it again."
        ) from error


def _check_kind(image: Image.Image, path: Path) -> None:
    animated = isinstance(image, (PngImagePlugin.PngImageFile, WebPImagePlugin.WebPImageFile))
    if animated and getattr(image, "n_frames", 1) > 1:
        raise UnsupportedMedia(f"{path.name} is an animated image.", advice="Convert it to a video (mp4) first.")
    with path.open("rb") as file:
        head = file.read(25)
    # Pillow would cut 16-bit colour to 8 bits without a word; byte 24 of a PNG is the depth (ISO/IEC 15948, 11.2.2).
    if image.format == "PNG" and head[24] == 16:
        raise UnsupportedMedia(
            f"{path.name} has 16 bits a channel; images of 8 are treated here.", advice="Convert it to 8 bits first."
        )
    if image.mode not in {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}:
        raise UnsupportedMedia(f"{path.name} is in colour mode {image.mode}.", advice="Convert it to sRGB first.")


def _upright(image: Image.Image) -> Image.Image:
    # A palette's transparency would be lost or warned about in the conversions that follow.
    if image.mode in {"P", "PA"}:
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    return ImageOps.exif_transpose(image)


def _alpha(image: Image.Image) -> U8 | None:
    """Upright transparency, or None if there is none or it is opaque throughout."""
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(_upright(image).convert("RGBA"))[:, :, 3]
    return None if alpha.min() == 255 else alpha


def _without_previews(exif: Image.Exif, dropped: list[str]) -> bytes:
    """EXIF bytes, upright, without what may show the face as it was: the thumbnail (IFD1) and the maker's notes."""
    if not len(exif):
        return b""
    exif[_ORIENTATION] = 1
    if exif.get_ifd(_EXIF_IFD).pop(_MAKER_NOTE, None) is not None:
        dropped.append("The camera maker's private notes were left out, because they may hold a preview of the face.")
    return exif.tobytes()
