from __future__ import annotations

import pytest

from tests.unit.verification.marked_file import Workshop, make_workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Footage and its sealed result; made once, never written to."""
    return make_workshop(tmp_path_factory.mktemp("workshop"))
