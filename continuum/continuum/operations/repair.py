"""`plan_repair` says what a repair would change, and `repair` makes it, if all is as it was seen.

What is to be done is decided by the rules of `continuum.verify`: a finding of a rule has the changes that
end it, or says why only a person can decide. A repair decides anew under the locks of what it changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from continuum.engine.ids import WorkerId, parse_run_id
from continuum.errors import InvalidOption, NotRepairable
from continuum.journal.audit_facts import Action, ChangeOutcome
from continuum.journal.mend import ONLY_WITHOUT_OWNER, Mend
from continuum.journal.repair_port import Damaged, DamageFacts, Decision, NotMended, Repairs
from continuum.operations.actor import Recorder
from continuum.operations.health_codes import HEALTH_CODES
from continuum.operations.repair_steps import step
from continuum.quoting import quoted
from continuum.verify.findings import Finding
from continuum.verify.rules import RULES
from continuum.verify.verify import findings_of

# Their subject is a worker; that of all others is a run.
OF_WORKERS = frozenset({"lease-odd", "lease-expired"})


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What a repair was to change when somebody looked.

    `findings` are sentences about the damage, `steps` what would be done, in words; both are empty if
    nothing is damaged. `left` are findings that only a person can decide about: each says why, and what
    helps. `damaged` and `seen` are for `repair`.
    """

    code: str
    subject: str
    findings: tuple[str, ...]
    steps: tuple[str, ...]
    left: tuple[str, ...]
    damaged: Damaged
    seen: tuple[Finding, ...]


async def plan_repair(journal: Repairs, code: str, subject: str) -> RepairPlan:
    """Return what a repair of this code would change; nothing is changed.

    `code` is a rule of `continuum verify`, `subject` the run or worker that its finding names.
    `InvalidOption` if they are none.
    """
    code = _known(code)
    damaged = _damaged(code, subject)
    facts = await journal.damage_facts(damaged)
    found = _findings(facts, code, damaged)
    seen = tuple(finding for finding in found if finding.mends)
    return RepairPlan(
        code,
        str(damaged),
        tuple(finding.text for finding in seen),
        tuple(step(mend) for mend in _mends(seen)),
        tuple(finding.text for finding in found if not finding.mends),
        damaged,
        seen,
    )


async def repair(journal: Repairs, plan: RepairPlan, *, record: Recorder) -> ChangeOutcome:
    """Do what was planned, if everything is as it was seen, and return what came of it.

    ``done``; ``already`` if nothing is damaged (any more); ``stale`` if the damage is another one;
    ``not_found`` without such a run; ``refused`` if a process that lives owns the run and would not notice.
    Only ``done`` has changed anything. `NotRepairable` if only a person can decide.
    `record` says who does it.
    """

    def decide(facts: DamageFacts) -> Decision:
        return _decision(facts, plan)

    kinds = sorted({mend.kind.value for mend in _mends(plan.seen)})
    audit = record(Action.REPAIR, plan.subject, code=plan.code, mends=kinds)
    if plan.left and not plan.seen:
        raise NotRepairable(plan.code, plan.subject, plan.left[0])
    try:
        return await journal.repair(plan.damaged, decide, audit=audit)
    except NotMended:
        raise NotRepairable(
            plan.code, plan.subject, "its repair would leave damage, so nothing was changed; report it"
        ) from None


def _decision(facts: DamageFacts, plan: RepairPlan) -> Decision:
    found = tuple(finding for finding in _findings(facts, plan.code, plan.damaged) if finding.mends)
    if not found:
        there = facts.run is not None or plan.code in OF_WORKERS or plan.code == "orphan"
        return Decision(ChangeOutcome.ALREADY if there else ChangeOutcome.NOT_FOUND)
    if found != plan.seen:
        return Decision(ChangeOutcome.STALE)
    mends = _mends(found)
    if _is_held(facts) and any(mend.kind in ONLY_WITHOUT_OWNER for mend in mends):
        return Decision(ChangeOutcome.REFUSED)
    return Decision(ChangeOutcome.DONE, mends)


def _findings(facts: DamageFacts, code: str, damaged: Damaged) -> list[Finding]:
    return [finding for finding in _all_findings(facts, damaged) if finding.rule == code]


def _all_findings(facts: DamageFacts, damaged: Damaged) -> Iterator[Finding]:
    for finding in findings_of(facts.cluster, facts.run):
        if finding.subject == str(damaged):
            yield finding


def _mends(findings: Sequence[Finding]) -> list[Mend]:
    return list(dict.fromkeys(mend for finding in findings for mend in finding.mends))


def _is_held(facts: DamageFacts) -> bool:
    """Whether a process that lives owns the run."""
    run, cluster = facts.run, facts.cluster
    return run is not None and any(
        worker.id == run.owner and worker.expires_at > cluster.now for worker in cluster.workers
    )


def _known(code: str) -> str:
    # The codes of causes, in which the same is called lost_wake.
    name = code.replace("_", "-")
    if name in RULES:
        return name
    if name in HEALTH_CODES:
        raise InvalidOption(
            f"{name} is a code of `continuum health`, which no repair mends: {HEALTH_CODES[name].way_out}"
        )
    near = get_close_matches(name, RULES, 1)
    did = f"; did you mean {near[0]}?" if near else ""
    raise InvalidOption(
        f"no rule of `continuum verify` is named {quoted(code)}{did or ': its findings name theirs'}"
    )


def _damaged(code: str, subject: str) -> Damaged:
    if code in OF_WORKERS:
        if not subject.isascii() or not subject.isdecimal() or int(subject) >= 1 << 63:
            raise InvalidOption(
                f"{quoted(subject)} is no worker: {code} takes its number, as `continuum verify` prints it"
            )
        return WorkerId(int(subject))
    try:
        return parse_run_id(subject)
    except ValueError:
        raise InvalidOption(
            f"{quoted(subject)} is no run: {code} takes the id of a run, as `continuum verify` prints it"
        ) from None
