"""The mark is found again after what happens to videos, names the right job, stays inside the matte, and never invents one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bianlian.marking.watermark.alignment import _ANCHORS, image_from_canonical
from bianlian.marking.watermark.code import BITS, CodeBook, code_book
from bianlian.marking.watermark.embedder import FaceWatermark
from bianlian.marking.watermark.reader import ReadSettings, WatermarkReader, WatermarkReading
from bianlian.records.arrays import F32, U8
from bianlian.records.composite import Composite, PlacedFace
from bianlian.records.frame import ColourSpec, Frame, Matrix
from bianlian.records.time import Instant

SIZE = 320, 352
RATE = Fraction(25)
JOBS = tuple(f"job-{number}" for number in range(1000))


@pytest.fixture(scope="module")
def book() -> CodeBook:
    return code_book(b"a key for tests, not a secret one")


def points_at(number: int) -> F32:
    """Landmarks of a head that sways: only those that the alignment uses are set."""
    angle, shift = 0.08 * np.sin(number / 9), 6 * np.sin(number / 7)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * 0.9
    points = np.zeros((478, 3), np.float32)
    points[_ANCHORS[:, 0].astype(int), :2] = (_ANCHORS[:, 1:] - 128) @ turn.T + (176 + shift, 160)
    return points


def picture(number: int, seed: int = 0) -> U8:
    """Luma of a textured surface that moves with the points, over a still background."""
    random = np.random.default_rng(seed)
    coarse, fine = (
        cv2.resize(random.normal(0, s, (n, n)), (256, 256), interpolation=cv2.INTER_CUBIC)
        for n, s in ((12, 30), (90, 5))
    )
    face = np.asarray(coarse + fine, np.float32)
    laid = cv2.warpAffine(face, image_from_canonical(points_at(number)), SIZE[::-1], borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(1000 + number).normal(0, 1.5, SIZE)
    return np.clip(laid + 125 + noise, 0, 255).astype(np.uint8)


def frame_of(luma: np.ndarray, number: int, bit_depth: int = 8) -> Frame:
    height, width = luma.shape
    chroma = np.full((-(-height // 2), -(-width // 2)), 128 << (bit_depth - 8), luma.dtype)
    instant = Instant(pts=number, time_base=1 / RATE)
    return Frame(
        index=number,
        instant=instant,
        duration=1,
        planes=(luma, chroma, chroma.copy()),
        colour=ColourSpec(),
        bit_depth=bit_depth,
    )


def composite_of(frame: Frame, number: int, opacity: int = 255) -> Composite:
    matte = np.zeros(SIZE, np.uint8)
    cv2.ellipse(matte, (176, 160), (85, 105), 0, 0, 360, opacity, -1)
    rows, columns = slice(50, 270), slice(85, 270)
    face = PlacedFace(
        person=1, donor_id="donor", left=85, top=50, matte=cv2.GaussianBlur(matte, (0, 0), 3)[rows, columns].copy(),
        points_image=points_at(number), confidence=1.0, fade_reason="",
    )  # fmt: skip
    return Composite(frame=frame, faces=(face,))


def marked(book: CodeBook, count: int, job: str = "job-7", seed: int = 0) -> list[U8]:
    mark = FaceWatermark(book, job)
    frames = (mark.embed(composite_of(frame_of(picture(n, seed), n), n)).frame for n in range(count))
    return [frame.planes[0].astype(np.uint8) for frame in frames]


def read(
    book: CodeBook, pictures: list[U8], place: Callable[[F32], F32] = lambda points: points, first: int = 0
) -> WatermarkReading:
    """Read pictures that were `first` frames into the clip; `place` says where its points went."""
    frames = [frame_of(luma, number) for number, luma in enumerate(pictures)]
    return WatermarkReader(book).read(iter(frames), lambda frame: [place(points_at(frame.index + first))], JOBS)


def jpeg(luma: np.ndarray, quality: int) -> U8:
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", luma, (cv2.IMWRITE_JPEG_QUALITY, quality))[1], cv2.IMREAD_GRAYSCALE), np.uint8
    )


def test_a_clip_names_its_job_after_heavy_compression(book: CodeBook) -> None:
    reading = read(book, [jpeg(luma, 40) for luma in marked(book, 40)])
    assert reading.job_id == "job-7"
    assert reading.false_alarm < 1e-9
    assert reading.faces_read == reading.frames_read > 0


def test_a_single_picture_is_enough_when_it_is_clean(book: CodeBook) -> None:
    assert read(book, [jpeg(marked(book, 1)[0], 90)]).job_id == "job-7"


def test_a_mirrored_copy_is_read_and_called_mirrored(book: CodeBook) -> None:
    partner = np.zeros(478, int)
    for number, x, y in _ANCHORS:
        partner[int(number)] = int(min(_ANCHORS, key=lambda a: np.hypot(a[1] - (255 - x), a[2] - y))[0])

    def flipped(points: F32) -> F32:
        return np.asarray((points * (-1, 1, 1) + (SIZE[1] - 1, 0, 0))[partner], np.float32)

    reading = read(book, [np.ascontiguousarray(luma[:, ::-1]) for luma in marked(book, 40)], flipped)
    assert reading.job_id == "job-7"
    assert reading.is_mirrored


def test_half_size_rotation_and_a_lost_beginning(book: CodeBook) -> None:
    matrix = cv2.getRotationMatrix2D((176, 160), 12, 0.6)

    def moved(points: F32) -> F32:
        return np.column_stack([points[:, :2] @ matrix[:, :2].T + matrix[:, 2], points[:, 2]]).astype(np.float32)

    pictures = [np.asarray(cv2.warpAffine(luma, matrix, (300, 280)), np.uint8) for luma in marked(book, 60)[13:]]
    reading = read(book, pictures, moved, first=13)
    assert reading.job_id == "job-7"
    assert reading.offset_seconds == pytest.approx(13 / 25, abs=0.1)


def test_the_mark_is_faint_and_stays_inside_the_matte(book: CodeBook) -> None:
    composite = composite_of(frame_of(picture(0), 0), 0)
    changed = FaceWatermark(book, "job-7").embed(composite)
    difference = changed.frame.planes[0].astype(int) - composite.frame.planes[0]
    matte = np.zeros(SIZE, np.uint8)
    matte[50:270, 85:270] = composite.faces[0].matte
    assert not difference[matte == 0].any()
    assert 10 * np.log10(255**2 / np.mean(difference[matte > 127] ** 2.0)) >= 42
    assert all(new is old for new, old in zip(changed.frame.planes[1:], composite.frame.planes[1:], strict=True))


def test_a_dark_face_is_marked_more_faintly_and_still_names_its_job(book: CodeBook) -> None:
    def dark(number: int) -> Frame:
        return frame_of((16 + (picture(number) - 16.0) * 0.1).clip(0, 255).astype(np.uint8), number)

    mark = FaceWatermark(book, "job-7")
    pictures = [mark.embed(composite_of(dark(number), number)).frame.planes[0] for number in range(75)]
    change = pictures[0][100:220, 120:230] - dark(0).planes[0][100:220, 120:230].astype(float)
    assert np.sqrt((change**2).mean()) < 0.9
    assert read(book, [luma.astype(np.uint8) for luma in pictures]).job_id == "job-7"


def test_frames_are_marked_alike_in_any_order_and_company(book: CodeBook) -> None:
    composites = [composite_of(frame_of(picture(n), n), n) for n in (3, 12, 30)]
    whole = FaceWatermark(book, "job-7")
    apart = [FaceWatermark(book, "job-7").embed(one).frame.planes[0] for one in reversed(composites)]
    for one, other in zip((whole.embed(one).frame.planes[0] for one in composites), reversed(apart), strict=True):
        assert np.array_equal(one, other)


def test_a_faded_face_and_an_empty_frame_come_back_as_they_are(book: CodeBook) -> None:
    composite = composite_of(frame_of(picture(0), 0), 0, opacity=0)
    assert FaceWatermark(book, "job-7").embed(composite) is composite
    empty = replace(composite, faces=())
    assert FaceWatermark(book, "job-7").embed(empty) is empty


def test_ten_bits_and_rgb_carry_the_mark(book: CodeBook) -> None:
    deep = composite_of(frame_of(picture(0).astype(np.uint16) * 4, 0, bit_depth=10), 0)
    ten = FaceWatermark(book, "job-7").embed(deep).frame.planes[0]
    assert read(book, [np.asarray(ten / 4, np.uint8)]).job_id == "job-7"
    luma = picture(0)
    rgb = replace(frame_of(luma, 0), planes=(luma, luma.copy(), luma.copy()), colour=ColourSpec(matrix=Matrix.RGB))
    planes = FaceWatermark(book, "job-7").embed(composite_of(rgb, 0)).frame.planes
    assert read(book, [np.asarray(planes[1], np.uint8)]).job_id == "job-7"


def test_unmarked_pictures_other_keys_and_unknown_jobs_give_no_name(book: CodeBook) -> None:
    assert not read(book, [picture(n) for n in range(40)]).is_found
    other = code_book(b"another key for tests, not secret")
    assert not read(other, marked(book, 40)).is_found
    assert not read(book, marked(book, 40, job="a job of nobody's")).is_found


def test_no_face_and_no_jobs_are_reasons(book: CodeBook) -> None:
    reader = WatermarkReader(book)
    frame = frame_of(picture(0), 0)
    assert "no face" in reader.read([frame], lambda _: [], JOBS).reason
    assert "issued" in reader.read([frame], lambda _: [points_at(0)], ()).reason


def test_a_second_face_does_not_hide_the_marked_one(book: CodeBook) -> None:
    def both(number: int) -> list[F32]:
        return [points_at(number) + np.array([352, 0, 0], np.float32), points_at(number)]

    wide = [np.hstack([luma, picture(n, seed=5)]) for n, luma in enumerate(marked(book, 40))]
    reading = WatermarkReader(book).read(
        (frame_of(one, n) for n, one in enumerate(wide)), lambda f: both(f.index), JOBS
    )
    assert reading.job_id == "job-7"


def test_reading_stops_early_when_it_is_sure(book: CodeBook) -> None:
    def endless() -> Iterator[Frame]:
        pictures = marked(book, 40)
        for number in range(100_000):
            yield frame_of(pictures[number % 40], number % 40 + number // 40 * 80)

    reader = WatermarkReader(book, ReadSettings(window=20))
    assert reader.read(endless(), lambda f: [points_at(f.index % 80)], JOBS).frames_read < 200


@given(st.binary(min_size=16, max_size=64), st.text(max_size=20))
@settings(max_examples=20, deadline=None)
def test_words_are_a_function_of_key_and_job(key: bytes, job: str) -> None:
    book, again = code_book(key), code_book(key)
    assert np.array_equal(book.word(job), again.word(job))
    assert book.key_id == again.key_id
    assert np.array_equal(book.chips, again.chips)
    assert set(np.unique(book.word(job))) <= {-1, 1}
    assert len(book.word(job)) == BITS
    assert key.hex() not in repr(book.key_id)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        code_book(b"short")
