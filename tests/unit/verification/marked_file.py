"""A file made and marked as the swap makes it, with a face that is a textured patch: for verification's tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from bianlian.marking.certificates import Credentials, open_credentials
from bianlian.marking.fingerprint import pdq_per_second
from bianlian.marking.label import LabelStyle, plan_label
from bianlian.marking.manifest.facts import ConsentFacts, ManifestFacts, SourceType
from bianlian.marking.manifest.seal import seal
from bianlian.marking.metadata import AigcLabel, first_label, tags
from bianlian.marking.registry import IssuedOutput
from bianlian.marking.stage import mark_frames
from bianlian.marking.watermark.alignment import _ANCHORS, image_from_canonical
from bianlian.marking.watermark.code import CodeBook, code_book
from bianlian.marking.watermark.embedder import FaceWatermark
from bianlian.marking.watermark.reader import WatermarkReader
from bianlian.media.decode import frames
from bianlian.media.encode import EncodeSettings, write_chunk
from bianlian.media.join import join
from bianlian.media.probe import describe, sha256_of
from bianlian.records.arrays import F32, U8
from bianlian.records.composite import Composite, MarkedFrame, PlacedFace
from bianlian.records.face import Box
from bianlian.records.frame import SourceInfo
from bianlian.records.time import Instant
from bianlian.verification.claims import Consent, ConsentState
from bianlian.verification.pixels import WatermarkKeys
from bianlian.verification.verifier import References
from tests.media_factory import Recipe, make_clip

SIZE = 320, 384
JOB = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
RECEIPTS = hashlib.sha256(b"a receipt").hexdigest()
FRAMES = 80
"""At 25 frames a second: the whole 3.2 s cycle of the watermark's patterns, and more than the ample number of faces."""
START = Instant(pts=0, time_base=Fraction(1, 12800))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """A made installation, the footage, and the sealed result."""

    folder: Path
    footage: Path
    draft: Path
    """Before it was sealed."""
    sealed: Path
    credentials: Credentials
    book: CodeBook
    label: AigcLabel

    def references(self, consent: ConsentState | None = None, *, has_released: bool = True) -> References:
        """What this installation compares a file with."""
        state = consent or ConsentState(consent=Consent.ACTIVE)
        unknown = ConsentState(consent=Consent.UNKNOWN)
        return References(
            roots_pem=self.credentials.root_pem,
            outputs=lambda: (self.issued(),) if has_released else (),
            consent_of=lambda job_id: state if job_id == JOB else unknown,
            watermark=WatermarkKeys(
                reader=WatermarkReader(self.book),
                job_ids=(JOB, *(f"job-{number}" for number in range(99))),
                locate=lambda frame: [points_at(frame.index) * np.float32(frame.size[0] / SIZE[0])],
            ),
        )

    def issued(self) -> IssuedOutput:
        """The result as the registry keeps it."""
        return IssuedOutput(
            job_id=JOB, sha256=sha256_of(self.sealed), md5="", created="2026-11-22T20:00:00.000Z",
            prints=pdq_per_second(frames(describe(self.sealed))),
        )  # fmt: skip


def make_workshop(folder: Path) -> Workshop:
    """Footage of a textured head, marked, joined and sealed."""
    footage = make_clip(folder / "footage.mp4", _recipe(), picture)
    book = code_book(b"a key for tests, not a secret one")
    label = first_label(job_id=JOB, receipts_sha256=RECEIPTS)
    draft, sealed = make_draft(folder, footage, book), folder / "sealed.mp4"
    credentials = open_credentials(
        folder / "keys", password=b"for tests", installation_id="tests", now=datetime.now(UTC)
    )
    seal(draft, sealed, facts_of(footage), credentials)
    return Workshop(
        folder=folder, footage=footage, draft=draft, sealed=sealed, credentials=credentials, book=book, label=label
    )


def make_draft(folder: Path, footage: Path, book: CodeBook, *, flaw: str = "") -> Path:
    """Marked and joined, not sealed; `flaw` is one of "no label", "late label", "short label", "no metadata", "no watermark"."""
    source, job_id = describe(footage), "a job of nobody's" if flaw == "no watermark" else JOB
    plan = plan_label(source.size, [], style=LabelStyle(), start=START)
    marks = mark_frames(composites_of(source), label=plan, watermark=FaceWatermark(book, job_id))
    if flaw.endswith("label"):
        bare = FaceWatermark(book, job_id)
        labelled = {"late label": range(10, FRAMES), "short label": range(62), "no label": range(0)}[flaw]
        marks = (
            one if one.frame.index in labelled else MarkedFrame(composite=bare.embed(before), label_is_visible=False)
            for one, before in zip(marks, composites_of(source), strict=True)
        )
    write_chunk(marks, source, EncodeSettings(), folder / "chunk.mp4")
    label = {} if flaw == "no metadata" else tags(first_label(job_id=JOB, receipts_sha256=RECEIPTS))
    join([folder / "chunk.mp4"], source, folder / "draft.mp4", tags=label)
    return folder / "draft.mp4"


def points_at(number: int) -> F32:
    """Landmarks of a head that sways: only those that the watermark's alignment uses are set."""
    angle, shift = 0.08 * np.sin(number / 9), 6 * np.sin(number / 7)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * 0.9
    points = np.zeros((478, 3), np.float32)
    points[_ANCHORS[:, 0].astype(int), :2] = (_ANCHORS[:, 1:] - 128) @ turn.T + (192 + shift, 140)
    return points


def picture(number: int, size: tuple[int, int]) -> U8:
    """A textured surface that moves with the points."""
    random = np.random.default_rng(3)
    coarse, fine = (
        cv2.resize(random.normal(0, s, (n, n)), (256, 256), interpolation=cv2.INTER_CUBIC)
        for n, s in ((12, 30), (90, 5))
    )
    face = np.asarray(coarse + fine, np.float32)
    laid = cv2.warpAffine(face, image_from_canonical(points_at(number)), size[::-1], borderMode=cv2.BORDER_REFLECT)
    return np.repeat(np.clip(laid + 125, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _recipe() -> Recipe:
    ticks = range(0, FRAMES * 512, 512)
    return Recipe(
        stamps=tuple(ticks),
        time_base=START.time_base,
        rate=Fraction(25),
        size=SIZE,
        options={"crf": "12", "preset": "veryfast"},
    )


def composites_of(source: SourceInfo) -> Iterator[Composite]:
    """The footage with its textured patch said to be a placed face."""
    matte = np.zeros(SIZE, np.uint8)
    cv2.ellipse(matte, (192, 140), (85, 105), 0, 0, 360, 255, -1)
    for frame in frames(source):
        face = PlacedFace(
            person=1, donor_id="donor", left=0, top=0, matte=matte, points_image=points_at(frame.index), confidence=1.0,
            fade_reason="",
        )  # fmt: skip
        yield Composite(frame=frame, faces=(face,))


def facts_of(footage: Path) -> ManifestFacts:
    consent = ConsentFacts(
        receipt_id="r-1", receipt_sha256=RECEIPTS, purpose="research", expires=datetime(2030, 1, 1, tzinfo=UTC),
        status_index=7, appearance_sha256=hashlib.sha256(b"appearance").hexdigest(),
    )  # fmt: skip
    return ManifestFacts(
        job_id=JOB, receipts_sha256=RECEIPTS, consents=(consent,), source=footage, source_sha256=sha256_of(footage),
        regions=(Box(left=100, top=30, right=280, bottom=250),), size=SIZE, source_type=SourceType.TRAINED,
        engine="draft", version="0", when=NOW, is_image=False,
    )  # fmt: skip
