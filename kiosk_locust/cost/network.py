"""Bucket cost: requests, storage, and reads between regions; an estimate by image count.

For *n* images of together *B* bytes, in a window of *s* seconds::

    operations = n * (A + R) / 10,000      one write (class A) and one read (class B) an image
    storage    = B / 10^9 * S * s / month  as if all were stored for the whole window
    reads      = B / 10^9 * E              only where bucket and nodes are in different regions

The constants are those that the Kiosk's authors used, in US dollars: A = 0.05 and R = 0.004
per 10,000 requests, S = 0.026 a GB and month (Standard storage in a multi-region), E = 0.01 a
GB. A month has 730 hours. The formula is that of their figures, which charge the same requests
and storage; their code divided minutes by 24·30 there where it meant hours, and so made storage
60 times too dear.

The older client charged $7.00 on every run, as "networking costs for 1,000,000 images". The
formula gives, for 1,000,000 images of 1.5 MB: operations $5.40, and storage $0.29 in the 5.5
hours of the paper's fastest run, $2.56 in the two days that one GPU takes: $5.69 to $7.96. It
is $7.00 in a run of 30 hours. Reads of 1,500 GB between regions would add $15, so they cannot
have been in the $7.00. Runs with bucket and cluster in one region do not
pay them. The bucket's region is often unknown, so reads count only where both regions are known
and differ.
"""

from __future__ import annotations

from collections.abc import Collection

from kiosk_locust.cost.types import NetworkCost, Window, WorkDone

CLASS_A_USD = 0.05 / 10_000  # a write
CLASS_B_USD = 0.004 / 10_000  # a read
STORAGE_USD = 0.026  # a GB and month
BETWEEN_REGIONS_USD = 0.01  # a GB
GB = 1e9  # bytes
MONTH_S = 730 * 3600.0
IMAGE_BYTES = 1.5e6  # the paper's images of 1280 by 1080


def network_cost(work: WorkDone, window: Window, regions: Collection[str]) -> NetworkCost:
    """Bucket cost in a window; ``regions`` are the nodes' regions, as far as known."""
    images = work.images if work.images_stored is None else work.images_stored
    stored = images * IMAGE_BYTES if work.stored_bytes is None else work.stored_bytes
    reads_usd: float | None = None
    if work.bucket_region and regions:
        is_near = work.bucket_region.lower() in {region.lower() for region in regions}
        reads_usd = 0.0 if is_near else stored / GB * BETWEEN_REGIONS_USD
    return NetworkCost(
        operations_usd=images * (CLASS_A_USD + CLASS_B_USD),
        storage_usd=stored / GB * STORAGE_USD * window.seconds / MONTH_S,
        reads_usd=reads_usd,
        stored_bytes=stored,
    )
