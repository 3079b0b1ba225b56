"""Everything about a donor, in open formats, for the donor (PIPL article 45, GDPR articles 15 and 20)."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import zipfile
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bianlian.donors import merkle
from bianlian.donors.book import Donors
from bianlian.donors.jose import private_jwk
from bianlian.donors.page import receipt_page
from bianlian.donors.papers import CAPTURE, DONOR_KEY, NAME, TEMPLATE
from bianlian.donors.receipts import readable
from bianlian.donors.roll import Donor
from bianlian.donors.vault import CHUNK
from bianlian.errors import CallerError

_READ_ME = """\
This is everything that this installation of Bianlian holds about you. It contains your face: keep it as you would a key.
以下是本套 Bianlian 程序所保存的关于您的全部信息。其中包含您的面部数据,请像钥匙一样妥善保管。

capture.*          your recording, as you gave it                         您录制的原始视频
receipt.json       the consent, signed by you and the installation        双方签名的同意凭证 (JWS, RFC 7515; RFC 8785 JSON)
receipt.en/zh.html the same to read and print                             可阅读和打印的版本
receipt.plain.json what was signed, as plain JSON                         签名内容
scope.toml         what you allowed, as you wrote it                      您所写的授权范围
notice.md          what you were told before                              向您出示的告知书
template.json      128 numbers by which your face is recognised           人脸特征模板
donor-key.json     the private key that signed for you (Ed25519, JWK)     代表您签名的私钥
ledger.json        the ledger's lines about you, with Merkle proofs       与您有关的日志记录及其证明
everything else    appearances learnt from your recording                 由您的录像学习得到的外观模型
"""


def export_donor(donors: Donors, donor: Donor, target: Path) -> None:
    """Write a zip archive with all that is held about a donor, readable by its owner only.

    Raises:
        CallerError: there is such a file already.
    """
    if target.exists():
        raise CallerError(f"{target} exists already.", advice="Choose another name.")
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        with open(scratch, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                _fill(archive, donors, donor)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _fill(archive: zipfile.ZipFile, donors: Donors, donor: Donor) -> None:
    vault, receipt = donors.vault, donor.receipt
    archive.writestr("READ-ME.txt", _READ_ME)
    archive.writestr("receipt.plain.json", json.dumps(readable(receipt), indent=1, ensure_ascii=False))
    for language in ("en", "zh"):
        archive.writestr(f"receipt.{language}.html", receipt_page(receipt, language))
    template = np.frombuffer(vault.read(donor.id, TEMPLATE), "<f4").tolist()
    archive.writestr(
        "template.json", json.dumps({"model": "dlib_face_recognition_resnet_model_v1", "embedding": template})
    )
    key = Ed25519PrivateKey.from_private_bytes(vault.read(donor.id, DONOR_KEY))
    archive.writestr("donor-key.json", json.dumps(private_jwk(key)))
    archive.writestr("ledger.json", json.dumps(_lines(donors, donor), indent=1))
    for name in vault.list(donor.id):
        if name in (TEMPLATE, DONOR_KEY, NAME):
            continue
        with vault.open(donor.id, name) as source:
            first = source.read(16)
            source.seek(0)
            plain = f"{name}{_suffix(first)}" if name == CAPTURE else name
            with archive.open(plain, "w", force_zip64=True) as entry:
                shutil.copyfileobj(source, entry, CHUNK)


def _lines(donors: Donors, donor: Donor) -> list[dict[str, object]]:
    """The ledger's entries about a donor, each with its proof under the newest head."""
    entries = list(donors.ledger.entries())
    leaves = [merkle.leaf_hash(entry.content) for entry in entries]
    head = donors.ledger.head()
    mine = [
        entry
        for entry in entries[: head.size]
        if donor.id == entry.facts.get("donor") or donor.receipt.id == entry.facts.get("receipt")
    ]
    return [{
        "entry": json.loads(entry.content),
        "head": json.loads(head.document),
        "inclusion": [step.hex() for step in merkle.inclusion_proof(leaves[: head.size], entry.seq)],
    } for entry in mine]  # fmt: skip


def _suffix(first: bytes) -> str:
    if first[4:8] == b"ftyp":
        return ".mp4"
    if first.startswith(b"\x1aE\xdf\xa3"):
        return ".mkv"
    return ".avi" if first.startswith(b"RIFF") else ".video"
