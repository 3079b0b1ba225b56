"""A receipt as a page that a person can read, print and sign, in Chinese or English."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from bianlian.donors.acts import CHINESE, ENGLISH
from bianlian.donors.receipts import Receipt, readable

_WORDS = {
    "en": {
        "title": "Consent to the use of my face", "receipt": "Receipt", "given": "Given", "donor": "Donor (pseudonym)",
        "controller": "Given to", "purposes": "For", "projects": "Projects", "files": "Only these files (SHA-256)",
        "publication": "Shown at most", "regions": "Where", "term": "From – until", "uses": "Results at most",
        "prohibited": "Never", "work": "Label at the opening only (artistic work)", "adult": "Declared to be 18 or older",
        "acts": "Acts that the capture answered", "level": "Assurance", "notice": "Notice that was shown (SHA-256)",
        "recording": "Recording (SHA-256)", "template": "Commitment to the face template", "withdraw": "Withdraw at any time",
        "how": "Run <code>bianlian donor revoke {id}</code>, or tell {contact}. Nothing new is made from then on; data and keys are destroyed.",
        "signed": "Signed with Ed25519 by the keys", "yes": "yes", "no": "no", "any": "all", "check": "The signed record",
    },
    "zh": {
        "title": "面部使用同意书", "receipt": "凭证编号", "given": "同意时间", "donor": "面部提供者(化名)", "controller": "处理者",
        "purposes": "用途", "projects": "项目", "files": "仅限下列文件(SHA-256)", "publication": "传播范围不超过", "regions": "地域",
        "term": "期限", "uses": "结果数量不超过", "prohibited": "一律禁止", "work": "仅在片头显示标识(艺术作品)", "adult": "声明已满十八周岁",
        "acts": "采集时完成的动作", "level": "保证等级", "notice": "所示告知书(SHA-256)", "recording": "录制文件(SHA-256)",
        "template": "人脸特征模板承诺值", "withdraw": "可随时撤回", "how": "运行 <code>bianlian donor revoke {id}</code>,或告知 {contact}。"
        "撤回后不再制作新的内容,数据和密钥将被销毁。", "signed": "Ed25519 签名密钥", "yes": "是", "no": "否", "any": "不限", "check": "签名记录原文",
    },
}  # fmt: skip
_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #ccc }}
th {{ width: 14rem; font-weight: 600 }} code, pre {{ font-size: .8rem; overflow-wrap: anywhere; white-space: pre-wrap }}
@media print {{ body {{ margin: 0; max-width: none }} details {{ display: none }} }}
</style>
<h1>{title}</h1>
<table>
{rows}
</table>
<h2>{withdraw}</h2>
<p>{how}</p>
<details><summary>{check}</summary><pre>{document}</pre></details>
</html>
"""


def receipt_page(receipt: Receipt, language: str) -> str:
    """The page as HTML that needs nothing else. `language` is "en" or "zh"."""
    words, body = _WORDS[language], readable(receipt)
    scope, collected = body["scope"], body["collected"]
    acts = CHINESE if language == "zh" else ENGLISH
    thumbprints = [body["principal"]["thumbprint"], body["controller"]["installation"]]

    def joined(values: Sequence[str]) -> str:
        return escape(", ".join(values)) or words["any"]

    rows = {
        "receipt": f"<code>{escape(receipt.id)}</code>",
        "given": escape(body["created"]),
        "donor": f"<code>{escape(receipt.donor_id)}</code>",
        "controller": escape(f"{body['controller']['name']} ({body['controller']['contact']})"),
        "purposes": joined(scope["purposes"]),
        "projects": joined(scope["projects"]),
        "files": joined(scope["files"]),
        "publication": escape(scope["publication"]),
        "regions": joined(scope["regions"]),
        "term": escape(f"{scope['from']} – {scope['until']}"),
        "uses": str(scope["max_uses"]),
        "prohibited": joined(scope["prohibited"]),
        "work": words["yes" if scope["artistic_work"] else "no"],
        "adult": words["yes"],
        "acts": joined([acts[act] for act in collected["acts"]]),
        "level": escape(collected["level"]),
        "notice": f"<code>{escape(body['notice']['sha256'])}</code>",
        "recording": f"<code>{escape(collected['recording_sha256'])}</code>",
        "template": f"<code>{escape(collected['face_template_commitment'])}</code>",
        "signed": "<br>".join(f"<code>{escape(key)}</code>" for key in thumbprints),
    }
    how = words["how"].format(id=escape(receipt.id), contact=escape(body["controller"]["contact"]))
    return _PAGE.format(
        language=language, title=words["title"], withdraw=words["withdraw"], how=how, check=words["check"],
        rows="\n".join(f"<tr><th>{words[name]}<td>{value}" for name, value in rows.items()),
        document=escape(json.dumps(json.loads(receipt.document), indent=1)),
    )  # fmt: skip
