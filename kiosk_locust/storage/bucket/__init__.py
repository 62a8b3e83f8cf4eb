"""Buckets: one of Google Cloud Storage (``gs://``), or a folder that stands in for one (``file://``).

::

    address = Address.parse("gs://my-kiosk/benchmarks")
    bucket = open_bucket(address)       # opens nothing yet
    bucket.check()                      # raises BucketError, with what to do
    bucket.put(Path("image.png"), "uploads/4711.png")
    bucket.get("output/4711.zip", Path("4711.zip"))

Names of objects are from the bucket's root, as the Kiosk names them; the prefix of an address
(``benchmarks`` above) is where results go, and nothing else. All that can go wrong is a
BucketError of `kiosk_locust.errors`.
"""

from __future__ import annotations

from kiosk_locust.storage.bucket.address import Address
from kiosk_locust.storage.bucket.protocol import Bucket

__all__ = ["Address", "Bucket", "open_bucket"]


def open_bucket(address: Address | str) -> Bucket:
    """The bucket at ``address``; nothing is asked of it yet.

    Cheap for a folder. The first one of Google's imports google-cloud-storage, which keeps a
    processor busy for about a second: open it before a run, not in its midst. A bucket may be
    used by several greenlets at once. Raises ValueError for an address that is none, and
    NoCredentials.
    """
    if isinstance(address, str):
        address = Address.parse(address)
    if address.folder is not None:
        from kiosk_locust.storage.bucket.folder import FolderBucket  # noqa: PLC0415  only the one needed

        return FolderBucket(address.folder)
    from kiosk_locust.storage.bucket.gcs import GoogleBucket  # noqa: PLC0415  a slow import

    return GoogleBucket(address.name)
