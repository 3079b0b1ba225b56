"""What was learnt outlives the program that learnt it."""

import hashlib
import zipfile
from io import BytesIO

from bianlian.records.progress import Silent
from bianlian.workflows.learn import appearance_of
from tests.workflows.conftest import DONOR


def of_another_version(content: bytes) -> bytes:
    changed = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as archive, zipfile.ZipFile(changed, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, archive.read(name).replace(b'"version": ', b'"version": 1'))
    return changed.getvalue()


def test_a_donor_learnt_by_another_version_is_learnt_again(stage):
    donor, vault = stage.house.donors.find(DONOR), stage.house.donors.vault
    learnt = vault.read(donor.id, "appearance-draft")
    vault.write(donor.id, "appearance-draft", of_another_version(learnt))
    appearance, sha256 = appearance_of(stage.house, donor, level="draft", reporter=Silent())
    assert appearance.donor_id == donor.id
    assert sha256 == hashlib.sha256(learnt).hexdigest()
    assert vault.read(donor.id, "appearance-draft") == learnt
