"""The exit code, and the sentence that says which and why; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kiosk_locust.formatting import units
from kiosk_locust.model.record import Outcome
from kiosk_locust.verdict.judgement import Judgement

#: What the Kiosk did to a job that is not what was asked for: exit code 1.
FAILURES = (Outcome.FAILED, Outcome.PARTIAL, Outcome.REJECTED, Outcome.VANISHED)
#: What leaves open how a job ended: exit code 2.
OPEN_ENDS = (Outcome.UNFINISHED, Outcome.TIMEOUT, Outcome.ERROR)

_SAID = {
    Outcome.FAILED: "failed",
    Outcome.PARTIAL: "done with failed images",
    Outcome.REJECTED: "rejected",
    Outcome.VANISHED: "vanished",
    Outcome.UNFINISHED: "unfinished",
    Outcome.TIMEOUT: "timed out",
    Outcome.ERROR: "ended in an error",
}


_NEVER_BEGUN = "never begun"


class Verdict(NamedTuple):
    """The process's exit code (0, 1 or 2) and why, without the code."""

    code: int
    why: str

    @property
    def line(self) -> str:
        """The last line on the screen."""
        return f"exit code {self.code}: {self.why}"


#: Why a process's exit code is not that of its run.
SET_BY_OTHERS = "set by a listener, or by an option of Locust's"
BROKE_AT_END = "a listener raised while Locust ended (its traceback is in the log)"


def status(code: object) -> int:
    """The exit status that a parent process sees of ``sys.exit(code)``, from 0 to 255."""
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


def overruled(own: Verdict, code: int, why: str) -> Verdict:
    """The process's verdict where its exit code is not that of the run; ``why`` says who set it."""
    if code == own.code:
        return own
    return Verdict(code, f"{why}; of the run alone, {own.code}: {own.why}")


#: What ended a run that missed a threshold, where that is wanted.
ABORTED = "--abort-on-threshold"
#: Thresholds that say how much of a failure is acceptable.
_SPOKEN_OF = {
    Outcome.FAILED: {"failed", "images_failed"},
    Outcome.PARTIAL: {"partial", "images_failed"},
    Outcome.REJECTED: {"rejected"},
    Outcome.VANISHED: {"vanished"},
}


def exit_code(
    counts: Mapping[Outcome, int],
    finished: bool,  # noqa: FBT001
    trouble: str = "",
    judgement: Judgement | None = None,
    aborted: str = "",
    *,
    results_missing: int = 0,
    never_begun: int = 0,
    interrupted: str = "",
) -> Verdict:
    """0: every ticket is closed as done; 1: jobs, images or thresholds failed; 2: anything worse.

    ``counts`` has the tickets by outcome, ``finished`` says whether all were closed by what
    the Kiosk did, ``trouble`` why the run could not be carried out or was ended (empty: it was
    not). Trouble of any kind makes it 2, as does a ``judgement`` of INVALID or a threshold that
    could not be measured, and 2 beats 1. ``aborted`` is the threshold whose miss ended the run, as
    was wanted; then tickets are left open, and it is 1. Failures of a kind that thresholds speak of
    are none where those thresholds are met. ``results_missing`` is how many results could not be
    downloaded, which is said and changes no code: a benchmark's jobs are done without them.
    ``never_begun`` of the unfinished tickets had nothing sent. ``interrupted`` says that the run
    was, and for how long; this changes no code either.
    """
    found = _exit_code(counts, finished, trouble, judgement, aborted, never_begun=never_begun)
    said = [found.why]
    if results_missing:
        said.append(f"{units.count(results_missing, 'result')} could not be downloaded")
    return Verdict(found.code, "; ".join([*said, interrupted] if interrupted else said))


def _exit_code(
    counts: Mapping[Outcome, int],
    finished: bool,  # noqa: FBT001
    trouble: str,
    judgement: Judgement | None,
    aborted: str,
    *,
    never_begun: int,
) -> Verdict:
    judgement = judgement or Judgement()
    total = sum(counts.values())
    failed = tuple(o for o in FAILURES if not _SPOKEN_OF[o] & judgement.accepted)
    ends = () if aborted else OPEN_ENDS
    open_ends = _told(counts, ends, total, never_begun)
    failures = _told(counts, failed, total)
    doubt = _doubt(judgement)
    if trouble or open_ends or (not finished and not aborted) or (doubt and total):
        cause = trouble or ("" if finished or aborted else "the run was interrupted")
        said = "; ".join(part for part in (open_ends, failures, doubt) if part)
        return Verdict(2, ": ".join(part for part in (cause, said) if part))
    if not total:
        return Verdict(2, "no job was run")
    missed = "; ".join(each.line for each in judgement.missed)
    if aborted:
        left = _told(counts, OPEN_ENDS, total, never_begun)
        missed = f"{aborted}; that ended the run ({ABORTED}){f', {left}' if left else ''}"
    if failures or missed:
        return Verdict(1, "; ".join(part for part in (failures, missed) if part))
    if accepted := _told(counts, FAILURES, total):
        return Verdict(0, f"{accepted}, as thresholds allow")
    every = {1: "1 job is done", 2: "both jobs are done"}
    return Verdict(0, every.get(total, f"all {total:,} jobs are done"))


def _doubt(judgement: Judgement) -> str:
    """Why the numbers cannot be trusted, or do not tell what was asked."""
    parts = [f"INVALID: {reason.why}" for reason in judgement.reasons[:1]]
    if others := [reason.rule for reason in judgement.reasons[1:]]:
        parts[0] += f" (and for {units.count(len(others), 'more reason')}: {', '.join(others)})"
    return "; ".join(parts + [each.line for each in judgement.unmeasured])


def _told(
    counts: Mapping[Outcome, int], among: tuple[Outcome, ...], total: int, never_begun: int = 0
) -> str:
    """``3 of 100 jobs failed``, ``2 of 100 jobs are unfinished and 1 timed out``."""
    parts = [(counts.get(outcome, 0), _SAID[outcome]) for outcome in among]
    if Outcome.UNFINISHED in among:
        place = among.index(Outcome.UNFINISHED)
        parts[place] = (parts[place][0] - never_begun, parts[place][1])
        parts.append((never_begun, _NEVER_BEGUN))
    parts = [(number, said) for number, said in parts if number]
    if not parts:
        return ""
    told = []
    for position, (number, said) in enumerate(parts):
        verb = ("is " if number == 1 else "are ") if said.startswith(("done", "unfin")) else ""
        if said in (_SAID[Outcome.REJECTED], _NEVER_BEGUN):
            verb = "was " if number == 1 else "were "
        many = f"{number:,} of {units.count(total, 'job')}" if position == 0 else f"{number:,}"
        if total == 1:
            many = "the only job"
        told.append(f"{many} {verb}{said}")
    return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))
