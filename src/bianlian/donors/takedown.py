"""Help after a withdrawal: fingerprints to find copies by, and the letter that asks a platform to remove them (R35).

Formats: threatexchange and StopNCII signal types (docs/consent.md); the letter has the elements of the TAKE IT DOWN Act (platforms
answer within 48 hours) and of articles 1195 of the Chinese Civil Code and 47 of the PIPL. Not legal advice.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bianlian.errors import CallerError
from bianlian.records.donor import OutputRecord, stamp

LABEL = "ncii-deepfake"
"""Label of a deep fake that the person shown does not, or no longer, consent to."""
LEAST_QUALITY = 50
"""Threatexchange ignores PDQ hashes of a lower quality."""
COLUMNS = ("signal_type", "value", "quality", "label", "case_id", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who asks for removal, in their own words; the program does not keep it."""

    name: str
    contact: str
    where: tuple[str, ...]
    """Addresses of the copies."""


def export_csv(records: Sequence[OutputRecord], case_id: str) -> str:
    """Fingerprints as CSV with a header line.

    Raises:
        CallerError: there is nothing to export.
    """
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_signals(records, case_id))
    return file.getvalue()


def export_jsonl(records: Sequence[OutputRecord], case_id: str) -> str:
    """Fingerprints as JSON lines. Raises as `export_csv`."""
    return "".join(json.dumps(signal, ensure_ascii=False) + "\n" for signal in _signals(records, case_id))


def takedown_letter(
    records: Sequence[OutputRecord],
    claimant: Claimant,
    *,
    language: str,
    receipt_id: str,
    revoked_at: datetime,
    now: datetime,
) -> str:
    """The letter as plain text, in "en" or "zh".

    Raises:
        CallerError: no address to remove, or no record to name.
    """
    if not records or not claimant.where:
        raise CallerError(
            "A letter names at least one file and one address.", advice="Say where the copy is: --at https://…"
        )
    template = _CHINESE if language == "zh" else _ENGLISH
    return template.format(
        name=claimant.name, contact=claimant.contact, receipt=receipt_id, revoked=stamp(revoked_at), today=stamp(now)[:10],
        where="\n".join(f"  - {address}" for address in claimant.where),
        files="\n".join(f"  - SHA-256 {record.sha256}\n    MD5     {record.md5}" for record in records),
    )  # fmt: skip


def _signals(records: Sequence[OutputRecord], case_id: str) -> Iterator[dict[str, str | int]]:
    if not records:
        raise CallerError("No result was ever released with this donor's face.", advice="There is nothing to export.")
    for record in records:
        common = {"label": LABEL, "case_id": case_id, "created": stamp(record.created)}
        yield {"signal_type": "sha256", "value": record.sha256, "quality": 100, **common}
        yield {"signal_type": "md5", "value": record.md5, "quality": 100, **common}
        good = [line for line in record.pdq if line[2] >= LEAST_QUALITY]
        for _, value, quality in good:
            yield {"signal_type": "pdq", "value": value, "quality": quality, **common}
        if good and not record.is_image:
            frames = {
                str(number): {"quality": quality, "hash": value, "timestamp": second}
                for number, (second, value, quality) in enumerate(good)
            }
            yield {
                "signal_type": "vpdq",
                "value": json.dumps(frames),
                "quality": min(line[2] for line in good),
                **common,
            }


_ENGLISH = """\
Request for removal of a digital forgery within 48 hours
{today}

To whom it may concern,

I am the person whose face is shown in the material below, or act for that person. The material was made by computer: my face was put in the place of
another person's. I have withdrawn my consent to it ({receipt}, withdrawn {revoked}); this publication is not permitted.

Where it is:
{where}

How to recognise it, and identical copies (the attached file holds perceptual hashes, PDQ and vPDQ, as well):
{files}

Please remove this material as soon as possible, and within 48 hours of this request, and make reasonable efforts to remove known identical copies
(TAKE IT DOWN Act, section 3, as far as it is an intimate depiction; otherwise your terms of service, article 17 GDPR, or the right to one's own image).

I declare in good faith that the information in this request is accurate and that the publication is without my consent.

Name:      {name}
Contact:   {contact}
Signature: ______________________________
"""
_CHINESE = """\
要求删除深度合成内容的通知书
{today}

致平台运营者:

本人系下列内容中被使用面部的人(或其代理人)。该内容由计算机合成,以本人面部替换他人面部。本人已撤回同意(凭证 {receipt},撤回时间 {revoked}),
贵平台上的发布未经本人许可。

侵权内容所在位置:
{where}

识别信息(附件另含感知哈希 PDQ 与 vPDQ):
{files}

依据《中华人民共和国民法典》第一千零一十九条、第一千一百九十五条和《中华人民共和国个人信息保护法》第四十七条,请立即采取删除、屏蔽、断开链接等必要措施,最迟在 48 小时内完成,
将本通知转送相关网络用户,对相同内容采取同样措施,并将处理结果告知本人。

本人保证以上内容属实,并愿承担相应法律责任。

姓名:    {name}
联系方式:{contact}
签名:    ______________________________
"""
