"""Still pictures: upright, lossless where the format is, metadata kept, previews of the face left out."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from bianlian.errors import CallerError, InternalError, UnreadableMedia, UnsupportedMedia
from bianlian.media.decode import frames, sampled
from bianlian.media.images import write_image
from bianlian.media.probe import describe
from bianlian.records.frame import Matrix
from tests.media_factory import marked, moving_square

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
PIXELS = moving_square(3, (48, 64))


def saved(path: Path, pixels: np.ndarray = PIXELS, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.webp", {"lossless": True})])
def test_a_lossless_image_passes_to_the_bit(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    source = describe(saved(tmp_path / name, **options))
    assert source.is_image
    assert (source.size, source.frame_estimate, source.colour.matrix) == ((48, 64), 1, Matrix.RGB)
    (frame,) = frames(source)
    assert np.array_equal(np.dstack(frame.planes), PIXELS)
    out = tmp_path / f"out{Path(name).suffix}"
    assert write_image(marked(frame), out, xmp=XMP, source=source) == ()
    with Image.open(out) as image:
        assert np.array_equal(np.asarray(image), PIXELS)
        assert XMP in (image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode())


def test_an_image_is_a_clip_of_one_frame_for_sampling_too(tmp_path: Path) -> None:
    source = describe(saved(tmp_path / "a.png"))
    (frame,) = sampled(source, source.time_base)
    assert frame.index == 0


def test_jpeg_keeps_the_picture_close(tmp_path: Path) -> None:
    source = describe(saved(tmp_path / "a.jpg", quality=95, subsampling=0))
    (frame,) = frames(source)
    write_image(marked(frame), tmp_path / "out.jpg", xmp=XMP, source=source)
    with Image.open(tmp_path / "out.jpg") as image:
        error = np.asarray(image).astype(float) - np.dstack(frame.planes)
        assert 10 * np.log10(255**2 / np.mean(error**2)) > 40
        assert image.info["xmp"] == XMP


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_reset(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "A maker"
    source = describe(saved(tmp_path / "a.png", exif=exif))
    (frame,) = frames(source)
    with Image.open(source.path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert source.size == expected.shape[:2] == frame.size
    assert np.array_equal(np.dstack(frame.planes), expected)
    write_image(marked(frame), tmp_path / "out.png", xmp=XMP, source=source)
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(image)), expected)
        assert (image.getexif()[0x0112], image.getexif()[0x010F]) == (1, "A maker")


def test_the_first_picture_of_several_is_taken_and_that_is_said(tmp_path: Path) -> None:
    first, second = (Image.fromarray(moving_square(number, (48, 64))) for number in (0, 9))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second], quality=95, subsampling=0)
    source = describe(tmp_path / "a.jpg")
    assert source.container == "jpeg"
    (frame,) = frames(source)
    assert np.abs(np.dstack(frame.planes).astype(float) - np.asarray(first)).mean() < 3
    (said,) = write_image(marked(frame), tmp_path / "out.jpg", xmp=XMP, source=source)
    assert "Further pictures" in said
    with Image.open(tmp_path / "out.jpg") as image:
        assert getattr(image, "n_frames", 1) == 1


def test_profile_and_text_are_kept_and_an_old_label_is_not(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Someone")
    info.add_text("AIGC", "an older label")
    source = describe(saved(tmp_path / "a.png", icc_profile=profile, pnginfo=info))
    (frame,) = frames(source)
    assert write_image(marked(frame), tmp_path / "out.png", xmp=XMP, source=source) == ()
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["icc_profile"] == profile
        assert image.text["Author"] == "Someone"
        assert "AIGC" not in image.text
    (said,) = write_image(marked(frame), tmp_path / "out.jpg", xmp=XMP, source=source)
    assert "Author" in said


def camera_exif(thumbnail: bytes) -> bytes:
    """EXIF as cameras write it (TIFF 6.0 layout): a maker, the maker's note, and a thumbnail in the second directory."""

    def directory(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
        body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)

    first = directory([(0x010F, 2, 4, int.from_bytes(b"Mkr\0", "little")), (0x8769, 4, 1, 38)], 68)
    inner = directory([(0x9003, 2, 20, 98), (0x927C, 7, 12, 118)], 0)
    second = directory([(0x0201, 4, 1, 130), (0x0202, 4, 1, len(thumbnail))], 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + inner + second + b"2026:01:01 00:00:00\0" + b"own face 123" + thumbnail


def test_previews_of_the_face_are_left_out(tmp_path: Path) -> None:
    thumbnail = io.BytesIO()
    Image.fromarray(PIXELS[:16, :16]).save(thumbnail, "JPEG")
    path = saved(tmp_path / "a.jpg", exif=camera_exif(thumbnail.getvalue()))
    source = describe(path)
    assert thumbnail.getvalue() in path.read_bytes()
    assert b"own face" in path.read_bytes()
    (frame,) = frames(source)
    (said,) = write_image(marked(frame), tmp_path / "out.jpg", xmp=XMP, source=source)
    assert "preview" in said
    data = (tmp_path / "out.jpg").read_bytes()
    assert thumbnail.getvalue() not in data
    assert b"own face" not in data
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif()[0x010F] == "Mkr"
        assert image.getexif().get_ifd(0x8769)[0x9003] == "2026:01:01 00:00:00"


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_transparency_returns_where_it_was(tmp_path: Path, suffix: str) -> None:
    alpha = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (48, 1))
    source = describe(saved(tmp_path / f"a{suffix}", np.dstack((PIXELS, alpha)), lossless=True, exact=True))
    (frame,) = frames(source)
    write_image(marked(frame), tmp_path / f"out{suffix}", xmp=XMP, source=source)
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert np.array_equal(np.asarray(image), np.dstack((PIXELS, alpha)))
    with pytest.raises(UnsupportedMedia, match="no transparency"):
        write_image(marked(frame), tmp_path / "out.jpg", xmp=XMP, source=source)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_other_colour_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    Image.fromarray(PIXELS).convert(mode).save(tmp_path / "a.png")
    (frame,) = frames(describe(tmp_path / "a.png"))
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.dstack(frame.planes), np.asarray(image.convert("RGB")))


def test_refused_in_words(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((32, 32), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UnsupportedMedia, match="16 bits"):
        describe(tmp_path / "deep.png")
    pictures = [Image.fromarray(moving_square(number, (48, 64))) for number in range(3)]
    for name in ("moving.webp", "moving.png"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
        with pytest.raises(UnsupportedMedia, match="animated"):
            describe(tmp_path / name)
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "print.jpg")
    with pytest.raises(UnsupportedMedia, match="CMYK"):
        describe(tmp_path / "print.jpg")
    Image.new("1", (17000, 100)).save(tmp_path / "wide.png")
    with pytest.raises(UnsupportedMedia, match="17000x100"):
        describe(tmp_path / "wide.png")
    Image.new("1", (15000, 15000)).save(tmp_path / "bomb.png")
    with pytest.raises(UnsupportedMedia, match=r"15000x15000|too large"):
        describe(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("share", [0.2, 0.8])
def test_a_cut_off_image(tmp_path: Path, suffix: str, share: float) -> None:
    data = saved(tmp_path / f"a{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableMedia, match="cannot be read as an image"):
        describe(path)


def test_writing_is_guarded(tmp_path: Path) -> None:
    source = describe(saved(tmp_path / "a.png"))
    (frame,) = frames(source)
    with pytest.raises(InternalError, match="only marked frames"):
        write_image(frame, tmp_path / "out.png", xmp=XMP, source=source)  # type: ignore[arg-type]
    with pytest.raises(CallerError, match="png, jpg or webp"):
        write_image(marked(frame), tmp_path / "out.bmp", xmp=XMP, source=source)
    smaller = replace(frame, planes=(frame.planes[0][:24], frame.planes[1][:24], frame.planes[2][:24]))
    with pytest.raises(InternalError, match="does not fit"):
        write_image(marked(smaller), tmp_path / "out.png", xmp=XMP, source=source)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
