"""Steps that bring the ledger and the run's files to its bucket; that one fails is no problem."""

from __future__ import annotations

import logging
from dataclasses import replace

import gevent

from kiosk_locust.assembly.finalize_steps.inputs import FileArchive
from kiosk_locust.assembly.finalize_steps.state import Finalization, StepResult
from kiosk_locust.checkpoint.archive import Archived
from kiosk_locust.errors import BucketUnreachable
from kiosk_locust.formatting import units
from kiosk_locust.formatting.wait_messages import reminding
from kiosk_locust.reporting import results_json

logger = logging.getLogger(__name__)

#: How long a checkpoint at the end is waited for, and where a cluster is about to kill the process.
CHECKPOINT_S, SIGTERM_CHECKPOINT_S = 60.0, 2.0
#: The same where the one before it was waited for in vain.
NEXT_CHECKPOINT_S = 5.0
#: A bucket without any sign of life is waited for so long, and so long after it was once in vain:
#: more than the 10 s that may lie between two tries.
MUTE_S, MUTE_AGAIN_S = 20.0, 15.0


def keep_checkpoint(state: Finalization) -> StepResult:
    """Keep the ledger in the bucket before others are asked; the last checkpoint tells more."""
    return replace(_checkpoint(state), is_complete=True)


def keep_last_checkpoint(state: Finalization) -> StepResult:
    """Keep the ledger with cost and verdict in the bucket, for who asks for the run once more."""
    return _checkpoint(state)


def _checkpoint(state: Finalization) -> StepResult:
    """Keep the ledger in the bucket as it now is; incomplete where that failed."""
    run, checkpoints = state.inputs.run, state.inputs.checkpoints
    if checkpoints is None:
        return StepResult(state)
    within_s = SIGTERM_CHECKPOINT_S if run.is_hurried else CHECKPOINT_S
    if state.bucket_is_mute:  # it did not take the one before
        within_s = min(within_s, NEXT_CHECKPOINT_S)
    with reminding("the last checkpoint goes to the bucket"):
        is_kept = checkpoints.last(within_s, run.given_up, min(MUTE_S, within_s))
    return StepResult(state, is_kept)


def upload(state: Finalization) -> StepResult:
    """Bring the files to the bucket.

    A second Ctrl-C ends it, too, and so does a bucket without any sign of life.
    """
    state.analysis.close()
    if state.inputs.archive is None:
        return StepResult(state)
    archived = _upload(state, state.inputs.archive)
    for path, reason in archived.missed:
        logger.warning("%s was not uploaded: %s", path, reason)
    record = replace(state.record, urls=tuple(archived.urls))
    return StepResult(replace(state, archived=archived, record=record), not archived.missed)


def _upload(state: Finalization, archive: FileArchive) -> Archived:
    given_up, mute_s = state.inputs.run.given_up, MUTE_AGAIN_S if state.bucket_is_mute else MUTE_S
    uploading = gevent.spawn(_keep, state, archive)
    with reminding("the run's files go to the bucket (Ctrl-C leaves them here alone)"):
        while not uploading.dead and not given_up.is_set():
            gevent.wait([uploading, given_up], timeout=1.0, count=1)
            if archive.unheard_s >= mute_s:
                why = f"{archive.url} has not answered for {units.seconds(archive.unheard_s)}"
                uploading.kill(BucketUnreachable(why), block=False)
    if uploading.successful():
        archived: Archived = uploading.value
        return archived
    fault = uploading.exception
    uploading.kill()
    reason = f"a fault of kiosk_locust: {fault!r}" if fault else "it was interrupted"
    return Archived(missed=[(path, reason) for path in state.files_to_keep])


def _keep(state: Finalization, archive: FileArchive) -> Archived:
    """Keep the files; then results that the run had before it was resumed may go."""
    files = state.files_to_keep
    archived = archive.keep(files)
    if "write_results" in state.record.files and not archived.missed:
        archive.drop(results_json.earlier_names(state.path, files))
    return archived
