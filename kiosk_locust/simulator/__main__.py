"""``python -m kiosk_locust.simulator``: run the simulated Kiosk alone."""

from __future__ import annotations

import logging
import sys

from kiosk_locust.simulator.arguments import parse_arguments

logger = logging.getLogger("kiosk_locust.simulator")


def main(words: list[str]) -> int:
    """Run until it is told to end; returns the exit code: 2 where it could not start."""
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
    logger.info("a simulated Kiosk at %s, --seed %d", url_of(bound), arguments.settings.seed)
    serve(
        bound,
        lambda clock: KioskApp(Cluster(arguments.settings, clock()), clock, arguments.faults),
        until_stdin_closes=arguments.until_stdin_closes,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
