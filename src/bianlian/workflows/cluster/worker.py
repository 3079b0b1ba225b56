"""The worker's side: a process on another machine that draws chunks of one job under a work order.

It holds no installation. What it gets is sealed with the job's key; the key comes in an order that the head signed for this
process alone, and the order's grants are what `compose` is given. What it draws goes back sealed as well.
"""

from __future__ import annotations

import os
import pickle
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bianlian.compositing.performer import Performer
from bianlian.compositing.stage import Cast
from bianlian.donors.consent import delegated
from bianlian.donors.delegation import WorkOrder, seal, unseal
from bianlian.donors.installation import id_of
from bianlian.errors import ConsentRefused, InternalError
from bianlian.imaging.face_space import FaceSpace
from bianlian.marking.interface import FrameMark
from bianlian.marking.label import Label
from bianlian.media.encode import EncodeSettings
from bianlian.media.probe import require_unchanged
from bianlian.records.appearance import Appearance
from bianlian.records.frame import SourceInfo
from bianlian.records.grant import Grant
from bianlian.workflows.house import is_running
from bianlian.workflows.job import ChunkRange
from bianlian.workflows.render import Painter, Render

SCRATCH = "bianlian-worker-"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kit:
    """What all chunks of a job are drawn with, but for rights, footage and track."""

    source: SourceInfo
    parts: Mapping[int, tuple[Appearance, Performer]]
    """By person."""
    space: FaceSpace
    label: Label
    watermark: FrameMark
    encode: EncodeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A drawn chunk on its way home."""

    chunk: bytes
    notes: bytes


class Worker:
    """Draws for one job, one chunk at a time, and dies with it. Calls in this order: accept, receive …, begin, draw …, close.

    `BIANLIAN_HEAD` in this machine's environment names the only installation that it works for.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        cv2.setNumThreads(1)  # one worker a core
        _sweep(Path(tempfile.gettempdir()))
        self._head, self._clock = os.environ.get("BIANLIAN_HEAD", ""), clock
        self._key = X25519PrivateKey.generate()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-"))
        # Without a name: whatever ends this process, nothing of the footage stays behind.
        self._footage = tempfile.TemporaryFile()  # noqa: SIM115 - held for as long as the worker lives
        self._order: WorkOrder | None = None
        self._grants: tuple[Grant, ...] = ()
        self._painter: Painter | None = None

    def public_key(self) -> bytes:
        """Raw X25519 key that orders for this worker are wrapped for."""
        return self._key.public_key().public_bytes_raw()

    def accept(self, order: bytes, head: bytes) -> None:
        """Take on a job.

        Args:
            order: see `donors.delegation`.
            head: raw Ed25519 key of the installation that signed it.

        Raises:
            ConsentRefused: this machine does not work for that installation, the order is not for this worker, or has ended.
        """
        trust = Ed25519PublicKey.from_public_bytes(head)
        if self._head != id_of(trust):
            whom = f"works for the installation {self._head}" if self._head else "has not been told for whom it works"
            raise ConsentRefused(
                f"The worker's machine {platform.node()} {whom}, so it takes no order of {id_of(trust)}.",
                code="order-bad",
                advice=f"If it may: start Ray there with BIANLIAN_HEAD={id_of(trust)} in its environment.",
            )
        self._order, self._grants = delegated(order, trust, self._key, self._clock())

    def receive(self, number: int, part: bytes) -> None:
        """Take the next sealed part of the footage. Raises as `draw`."""
        self._footage.write(unseal(self._valid().key, f"footage/{number}", part))

    def begin(self, kit: bytes) -> None:
        """Lay everything out.

        Args:
            kit: pickled `Kit`, sealed: only who signed the order can have made it.

        Raises:
            ConsentRefused: as `draw`, or the kit shows others than the grants permit.
            UnreadableMedia: the footage is not the one that the grants are for.
        """
        tools: Kit = pickle.loads(unseal(self._valid().key, "kit", kit))
        self._footage.flush()
        source = replace(tools.source, path=Path(f"/proc/{os.getpid()}/fd/{self._footage.fileno()}"))
        casts: dict[int, Cast] = {}
        for grant in self._grants:
            require_unchanged(replace(source, sha256=grant.source_sha256))
            appearance, performer = tools.parts[grant.person]
            casts[grant.person] = Cast(grant=grant, appearance=appearance, performer=performer)
        self._painter = Painter(Render(
            source=source, track=self._folder, casts=casts, space=tools.space, label=tools.label,
            watermark=tools.watermark, encode=tools.encode,
        ))  # fmt: skip

    def draw(self, chunk: ChunkRange, track: Mapping[str, bytes]) -> Sealed:
        """Draw a chunk.

        Args:
            track: sealed files of the track, at least those that the chunk needs.

        Raises:
            ConsentRefused: no order was accepted, or it has ended; a part does not belong to it.
        """
        order, painter = self._valid(), self._painter
        if painter is None:
            raise InternalError("the job was not begun")
        for name, content in track.items():
            (self._folder / name).write_bytes(unseal(order.key, f"track/{name}", content))
        path, notes = self._folder / "chunk.mp4", self._folder / "chunk.json"
        painter.paint(chunk, path, notes)
        return Sealed(
            chunk=seal(order.key, f"chunk/{chunk.number}", path.read_bytes()),
            notes=seal(order.key, f"notes/{chunk.number}", notes.read_bytes()),
        )

    def close(self) -> None:
        """Leave nothing behind."""
        if self._painter:
            self._painter.close()
        self._footage.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _valid(self) -> WorkOrder:
        if self._order is None or self._clock() >= self._order.expires:
            raise ConsentRefused("There is no valid work order.", code="order-expired", advice="Start the swap again.")
        return self._order


def _sweep(folder: Path) -> None:
    """Remove what workers that were killed on this machine left: parts of tracks, a chunk."""
    for left in folder.glob(f"{SCRATCH}*"):
        owner = re.match(rf"{SCRATCH}(\d+)-", left.name)
        if owner and not is_running(int(owner[1])):
            shutil.rmtree(left, ignore_errors=True)
