"""``python -m kiosk_locust.simulator``: run the simulated Kiosk alone."""

from __future__ import annotations

import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from kiosk_locust.simulator.arguments import parse_arguments
from kiosk_locust.simulator.contents import ContentsReader
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.simulator.storage import PATH, Storage

logger = logging.getLogger("kiosk_locust.simulator")


def main(words: list[str]) -> int:
    """Run until it is stopped; returns the exit code, 2 if it could not start."""
    arguments = parse_arguments(words)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # faults cut connections on purpose
    try:
        from kiosk_locust.simulator.app import KioskApp  # noqa: PLC0415  these may be missing
        from kiosk_locust.simulator.cluster import Cluster  # noqa: PLC0415
        from kiosk_locust.simulator.server import listen, serve, url_of  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        logger.critical(
            "%s is not installed; install it with: pip install 'kiosk-locust[simulator]'",
            missing.name,
        )
        return 2
    try:
        bound = listen(arguments.host, arguments.port)
    except OSError as error:
        logger.critical(
            "cannot listen on --host %s --port %d: %s; give another, or --port 0 for a free one",
            arguments.host,
            arguments.port,
            error.strerror,
        )
        return 2
    settings = arguments.settings
    if settings.bucket_url == ClusterSettings().bucket_url:
        settings = replace(settings, bucket_url=url_of(bound) + PATH.rstrip("/"))
    logger.info("a simulated Kiosk at %s, --seed %d", url_of(bound), arguments.settings.seed)
    with tempfile.TemporaryDirectory(prefix="kiosk-simulator-") as own:
        folder = arguments.folder or Path(own)
        storage, reader = Storage(folder, settings.output_bytes), ContentsReader(folder)
        serve(
            bound,
            lambda clock: KioskApp(
                Cluster(settings, clock(), look=reader.look), clock, arguments.faults, storage
            ),
            until_stdin_closes=arguments.until_stdin_closes,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
