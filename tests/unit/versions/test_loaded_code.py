"""Several versions of one workflow, loaded together."""

from __future__ import annotations

from typing import Any

import pytest

from continuum import Workflow, workflow
from continuum.errors import InvalidDefinition
from continuum.journal.version_facts import Loaded
from continuum.versions.loaded_code import Code


def labelled(label: int, answer: int = 0, name: str = "code.flow") -> Workflow[[], int]:
    @workflow(name=name, label=label)
    async def flow() -> int:
        return answer or label

    return flow


def test_vrg4_each_version_resolves_to_its_own_code_and_the_highest_label_is_current() -> None:
    """VRG4, VDP1."""
    first, tenth, second = labelled(1), labelled(10), labelled(2)
    code = Code([first, tenth, second])
    assert code.workflows == {"code.flow": tenth}
    assert [code.workflow_for("code.flow", flow.version_hash) for flow in (first, tenth, second)] == [
        first,
        tenth,
        second,
    ]
    assert sorted(code.loaded) == sorted(
        [
            Loaded("code.flow", first.version_hash, current=False, takes_others=False),
            Loaded("code.flow", tenth.version_hash, current=True, takes_others=True),
            Loaded("code.flow", second.version_hash, current=False, takes_others=False),
        ]
    )


def test_a_version_that_is_not_loaded_resolves_to_the_current_one() -> None:
    """UNK1: a dry replay decides whether it fits. A label stored by an earlier release is no hash."""
    current = labelled(2)
    code = Code([labelled(1), current])
    assert code.workflow_for("code.flow", "1") is current
    assert not code.knows("code.flow", "1")


def test_one_label_for_two_functions_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="label=1"):
        Code([labelled(1, 1), labelled(1, 2)])


def test_one_workflow_given_twice_is_one() -> None:
    flow: Workflow[..., Any] = labelled(1)
    assert len(Code([flow, flow]).loaded) == 1


def test_two_labels_of_the_same_content_are_one_version_and_it_is_current() -> None:
    """The current version takes new runs, whichever label was defined first."""

    def relabelled(label: int) -> Workflow[[], int]:
        @workflow(name="code.relabelled", label=label)
        async def flow() -> int:
            return 1

        return flow

    for labels in ((1, 2), (2, 1)):
        assert [one.current for one in Code(map(relabelled, labels)).loaded] == [True]


def test_a_workflow_that_waits_accepts_no_other_versions() -> None:
    @workflow(name="code.waits", on_change="wait")
    async def waits() -> None:
        """Do nothing."""

    assert [one.takes_others for one in Code([waits]).loaded] == [False]
