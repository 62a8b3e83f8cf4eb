"""Buckets: one of Google Cloud Storage (``gs://``), or a folder that stands in for one (``file://``).

::

    address = Address.parse("gs://my-kiosk/benchmarks")
    bucket = open_bucket(address)       # opens nothing yet
    bucket.check()                      # raises BucketError, with what to do
    bucket.put(Path("image.png"), "uploads/4711.png")
    bucket.get("output/4711.zip", Path("4711.zip"))

Names of objects start at the bucket's root, as in the Kiosk; the prefix of an address
(``benchmarks`` above) is for results only. All failures are a BucketError of
`kiosk_locust.errors`.
"""

from __future__ import annotations

from kiosk_locust.storage.bucket.address import Address
from kiosk_locust.storage.bucket.protocol import Bucket

__all__ = ["Address", "Bucket", "open_bucket"]


def open_bucket(address: Address | str) -> Bucket:
    """Bucket at ``address``; no request is sent yet.

    Cheap for a folder. The first Google bucket imports google-cloud-storage, which takes about a
    second of CPU time: open it before a run, not during one. Several greenlets may use a bucket at
    once.

    Raises:
        ValueError: The address is invalid.
        NoCredentials: There are no credentials for Google Cloud.

    """
    if isinstance(address, str):
        address = Address.parse(address)
    if address.folder is not None:
        from kiosk_locust.storage.bucket.folder import FolderBucket  # noqa: PLC0415  only the one needed

        return FolderBucket(address.folder)
    from kiosk_locust.storage.bucket.gcs import GoogleBucket  # noqa: PLC0415  a slow import

    return GoogleBucket(address.name)
