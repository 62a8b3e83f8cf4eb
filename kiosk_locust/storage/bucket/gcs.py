"""Google Cloud Storage bucket.

The library blocks in ``requests`` and ``time.sleep``, which gevent makes cooperative, and work that
never blocks yields after each MiB (`storage.bucket.streams`), so uploads and downloads run in the
calling greenlets. Real threads would not work: there, patched sockets and locks belong to another
hub.
"""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from kiosk_locust.errors import (
    BucketError,
    BucketMissing,
    BucketUnreachable,
    DamagedObject,
    NameTaken,
    NoSuchObject,
    NotPermitted,
)
from kiosk_locust.filesystem.symlinks import open_part
from kiosk_locust.storage.bucket.gcs_client import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    Blob,
    has_emulator,
    open_client,
    retry_for,
)
from kiosk_locust.storage.bucket.gcs_errors import EXPLAINED, NoSession, explained
from kiosk_locust.storage.bucket.resumable_upload import ResumableUpload
from kiosk_locust.storage.bucket.streams import Sink, crc32c_of

logger = logging.getLogger(__name__)

#: Files up to this size (bytes) are sent in one request; larger ones in resumable pieces.
SMALL = 2 << 20
#: Seconds to continue without progress: of a transfer, and of a metadata request.
PATIENCE_S, BRIEF_PATIENCE_S = 120.0, 10.0
_TIMEOUT_S = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
#: The same for a metadata request, which is fast.
_ASK_TIMEOUT_S = (CONNECT_TIMEOUT_S, 20.0)
_READ, _WRITE = "storage.objects.get", "storage.objects.create"
_DELETE = "storage.objects.delete"  # overwriting an object deletes its previous content
_ROLES = {
    _READ: "Storage Object Viewer",
    _WRITE: "Storage Object Creator",
    _DELETE: "Storage Object User",
}
_UNIFORM = "uniform bucket-level access"
_PREVENTED = "public access prevention"


class GoogleBucket:
    """Google Cloud Storage bucket; see `kiosk_locust.storage.bucket.protocol.Bucket`.

    ``patience_s`` is how long a transfer continues without any byte getting through.

    Raises:
        NoCredentials: There are no credentials for Google Cloud.

    """

    def __init__(self, name: str, *, patience_s: float = PATIENCE_S) -> None:
        self._name = name
        self._patience_s = patience_s
        self._client, self._session = open_client()
        self._bucket = self._client.bucket(name)
        self._says_private = False

    @property
    def url(self) -> str:
        """The bucket's address."""
        return f"gs://{self._name}"

    def url_of(self, name: str) -> str:
        """Address of an object."""
        return f"{self.url}/{name}"

    def check(self, *, reading: str = "", writing: str = "", replacing: str = "") -> None:
        """Check existence and permissions; of an emulator, existence only."""
        uses = ((reading, _READ), (writing, _WRITE), (replacing, _DELETE))
        needed_permissions = [permission for name, permission in uses if name]
        options: dict[str, Any] = {
            "timeout": _ASK_TIMEOUT_S,
            "retry": retry_for(min(self._patience_s, BRIEF_PATIENCE_S)),
        }
        try:
            with self._explaining(self.url):
                if has_emulator():
                    list(self._bucket.list_blobs(max_results=1, **options))
                    return
                granted = self._bucket.test_iam_permissions(
                    needed_permissions or [_READ], **options
                )
        except NoSuchObject as error:
            raise BucketMissing(
                f"{self.url}: there is no such bucket: correct STORAGE_BUCKET"
            ) from error
        except BucketUnreachable as error:
            advice = "start the emulator that STORAGE_EMULATOR_HOST names, or unset it"
            if not has_emulator():
                advice = "look at the network (HTTPS_PROXY counts), or unset STORAGE_BUCKET"
            raise BucketUnreachable(f"{error}: {advice}") from error
        lacking = [permission for permission in needed_permissions if permission not in granted]
        if lacking:
            roles = " and ".join(_ROLES[permission] for permission in lacking)
            verb, noun = ("are", "roles") if len(lacking) > 1 else ("is", "role")
            raise NotPermitted(
                f"{self.url}: {' and '.join(lacking)} {verb} not permitted: give the account that"
                f" runs this the {noun} {roles} on the bucket"
            )

    def exists(self, name: str) -> bool:
        """Tell if there is such an object."""
        return self._look_up(name) is not None

    def put(self, path: Path, name: str, *, public: bool = False) -> str:
        """Upload a file; see the protocol."""
        checksum, size = crc32c_of(path)
        try:
            self._put_perhaps_public(path, name, checksum, size, public=public)
        except NameTaken:
            # It may be ours, if the response to an earlier try was lost.
            if not self._has(name, checksum, size):
                raise
        return self.url_of(name)

    def generation(self, name: str) -> int:
        """Version of an object; 0 if there is none."""
        blob = self._look_up(name)
        return 0 if blob is None else int(blob.generation or 0)

    def size(self, name: str) -> int:
        """Size of an object in bytes; 0 if there is none."""
        blob = self._look_up(name)
        return 0 if blob is None else int(blob.size or 0)

    def replace(self, path: Path, name: str, generation: int, *, public: bool = False) -> int:
        """Upload over that generation; see the protocol."""
        checksum, size = crc32c_of(path)
        try:
            return self._put_perhaps_public(
                path, name, checksum, size, public=public, over=generation
            )
        except NameTaken:
            blob = self._look_up(name)
            if blob is None or (blob.crc32c, blob.size) != (checksum, size):
                raise
            return int(blob.generation)  # it is ours: the response to an earlier try was lost

    def remove(self, name: str, generation: int) -> None:
        """Delete that generation; see the protocol."""
        try:
            with self._explaining(self.url_of(name)):
                self._bucket.blob(name).delete(
                    if_generation_match=generation,
                    timeout=_ASK_TIMEOUT_S,
                    retry=retry_for(min(self._patience_s, BRIEF_PATIENCE_S)),
                )
        except NoSuchObject:
            return

    def _put_perhaps_public(
        self, path: Path, name: str, checksum: str, size: int, *, public: bool, over: int = 0
    ) -> int:
        """Like `_put`; private, with a warning, if the bucket allows no public objects."""
        try:
            return self._put(path, name, checksum, size, public=public, over=over)
        except BucketError as error:
            if not public or not _forbids_public(error):
                raise
            self._say_private(error)
            return self._put(path, name, checksum, size, public=False, over=over)

    def _put(
        self, path: Path, name: str, checksum: str, size: int, *, public: bool, over: int = 0
    ) -> int:
        """Upload over the generation ``over``; returns the new one."""
        send = self._put_whole if size <= SMALL else self._put_in_pieces
        acl = "publicRead" if public else None
        with self._explaining(self.url_of(name)):
            stored, generation = send(path, self._blob(name, checksum), size, acl, over)
        if stored != checksum:
            self._delete_damaged(name, stored)
            raise DamagedObject(
                f"{self.url_of(name)}: the bucket's checksum is {stored}, the file's {checksum}; it"
                " was deleted, upload it again"
            )
        return generation

    def _put_whole(
        self, path: Path, blob: Blob, size: int, acl: str | None, over: int
    ) -> tuple[str | None, int]:
        with path.open("rb") as file:
            blob.upload_from_file(
                file,
                size=size,
                predefined_acl=acl,
                if_generation_match=over,
                timeout=_TIMEOUT_S,
                checksum=None,  # compared by the caller
                retry=retry_for(self._patience_s),
            )
        return str(blob.crc32c), int(blob.generation or 0)

    def _put_in_pieces(
        self, path: Path, blob: Blob, size: int, acl: str | None, over: int
    ) -> tuple[str | None, int]:
        for tries_left in (2, 1, 0):
            session_url = blob.create_resumable_upload_session(
                size=size,
                predefined_acl=acl,
                if_generation_match=over,
                timeout=_TIMEOUT_S,
                checksum=None,
                retry=retry_for(self._patience_s),
            )
            shown = self.url_of(blob.name)
            try:
                with path.open("rb") as file:
                    upload = ResumableUpload(
                        self._session,
                        session_url,
                        file,
                        size,
                        shown=shown,
                        patience_s=self._patience_s,
                    )
                    metadata = upload.run()
                    return metadata.get("crc32c"), int(metadata.get("generation", 0))
            except NoSession as error:
                if not tries_left:
                    raise BucketUnreachable(f"{shown}: the bucket forgot the upload") from error
        raise AssertionError("the last try returns or raises")

    def _blob(self, name: str, checksum: str) -> Blob:
        blob = self._bucket.blob(name)
        blob.crc32c = checksum  # the bucket rejects other content
        blob.content_type = mimetypes.guess_type(name)[0]  # so that browsers display a report
        return blob

    def get(self, name: str, path: Path) -> None:
        """Download an object; see the protocol."""
        blob = self._look_up(name)
        if blob is None:
            raise NoSuchObject(f"{name} is not in {self.url}")
        part = path.with_name(f"{path.name}.part")
        for is_last in (False, True):
            self._fetch(blob, part)
            checksum, size = crc32c_of(part)
            if (checksum, size) == (blob.crc32c, blob.size):
                part.replace(path)
                return
            part.unlink()  # the existing part was of another object; start anew
            if is_last:
                raise DamagedObject(
                    f"{self.url_of(name)}: what arrived has the checksum {checksum}, the object"
                    f" {blob.crc32c}; download it again"
                )

    def _fetch(self, blob: Blob, part: Path) -> None:
        """Append the missing bytes to ``part``; continue while bytes arrive."""
        with open_part(part, "ab") as file:
            if file.tell() > blob.size:
                file.truncate(0)
            while (start := file.tell()) < blob.size:
                try:
                    with self._explaining(self.url_of(blob.name)):
                        blob.download_to_file(
                            Sink(file),
                            start=start,
                            raw_download=True,
                            if_generation_match=blob.generation,
                            timeout=_TIMEOUT_S,
                            checksum=None,  # unknown for a range
                            retry=retry_for(self._patience_s),
                        )
                except BucketUnreachable:
                    if file.tell() == start:
                        raise
                if file.tell() == start:
                    raise BucketUnreachable(f"{self.url_of(blob.name)}: nothing came of it")

    def open(self, name: str) -> BinaryIO:
        """Open an object to read parts of it."""
        blob = self._look_up(name)
        if blob is None:
            raise NoSuchObject(f"{name} is not in {self.url}")
        reader: BinaryIO = blob.open(
            "rb",
            chunk_size=SMALL,
            raw_download=True,
            timeout=_TIMEOUT_S,
            retry=retry_for(self._patience_s),
        )
        return reader

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _look_up(self, name: str) -> Blob | None:
        """Metadata of an object; None if there is none."""
        try:
            with self._explaining(self.url_of(name)):
                return self._bucket.get_blob(
                    name,
                    timeout=_ASK_TIMEOUT_S,
                    retry=retry_for(min(self._patience_s, BRIEF_PATIENCE_S)),
                )
        except NoSuchObject:
            return None

    def _has(self, name: str, checksum: str, size: int) -> bool:
        """Tell if an object has this content; False if it may not be read."""
        try:
            blob = self._look_up(name)
        except NotPermitted:
            return False
        return blob is not None and (blob.crc32c, blob.size) == (checksum, size)

    def _delete_damaged(self, name: str, stored: str | None) -> None:
        """Delete a damaged object just written, if that is permitted."""
        try:
            blob = self._look_up(name)
            if blob is not None and blob.crc32c == stored:
                blob.delete(if_generation_match=blob.generation, timeout=_ASK_TIMEOUT_S)
        except (BucketError, *EXPLAINED) as error:
            logger.warning("%s is damaged, and could not be deleted: %s", self.url_of(name), error)

    def _say_private(self, error: BucketError) -> None:
        if not self._says_private:
            self._says_private = True
            logger.warning(
                "%s takes no permissions of single objects, so results stay as private as the"
                " bucket is (PUBLIC_RESULTS has no effect): %s",
                *(self.url, error),
            )

    @contextmanager
    def _explaining(self, url: str) -> Iterator[None]:
        try:
            yield
        except EXPLAINED as error:
            raise explained(error, url) from None  # its own message contains request addresses


def _forbids_public(error: BucketError) -> bool:
    """Tell if an upload was refused only because of its ACL."""
    text = str(error).lower()
    return _UNIFORM in text or _PREVENTED in text
