"""Another Thespian release ends in an error message, not in an unsealed transport."""

import pytest

from continuum_supervision.errors import TransportUnexpected
from continuum_supervision.transport import thespian_version, transport


def test_the_installed_thespian_is_the_expected_one() -> None:
    assert thespian_version.differing_internals() == []


def test_another_version_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "EXPECTED_VERSION", "3.9.0")
    with pytest.raises(
        TransportUnexpected, match=r"^thespian .* is installed, .* is made for 3\.9\.0: run `pip"
    ):
        transport.install(b"a cookie of at least 32 bytes, really")


def test_altered_internals_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(thespian_version.EXPECTED_FILES, "thespian.system.utilis", "another digest")
    with pytest.raises(TransportUnexpected, match=r"thespian\.system\.utilis differ"):
        transport.install(b"a cookie of at least 32 bytes, really")
