"""Make the price tables of the package from two CSV files: ``price_tables.py FOLDER``.

FOLDER holds ``gcp_machine_types.csv``, made from the pricing file of the open-source
google-cloud-pricing-cost-calculator, and ``gcp_accelerators.csv``, made from skypilot-catalog
and the older client's table. Copies them into ``kiosk_locust/cost/data`` under lines that say
where the prices are from, and of which day. Change SOURCE, DATE and OF_2019 with the files.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

SOURCE = "google-cloud-pricing-cost-calculator"
DATE = "2026-07-30"
ACCELERATOR_SOURCE, ACCELERATOR_DATE = "skypilot-catalog v8", ""
OF_2019 = ("nvidia-tesla-p100", "nvidia-tesla-k80")
SOURCE_2019, DATE_2019 = "kiosk-client's table", "2019-06-17"
DATA = Path(__file__).parent.parent / "kiosk_locust" / "cost" / "data"


def main() -> None:
    """Write both tables."""
    folder = Path(sys.argv[1])
    machines = (folder / "gcp_machine_types.csv").read_text(encoding="utf-8")
    head = f"# source: {SOURCE}\n# date: {DATE}\n"
    (DATA / "machine_types.csv").write_text(head + machines, encoding="utf-8")
    (DATA / "accelerators.csv").write_text(
        _accelerators(folder / "gcp_accelerators.csv"), encoding="utf-8"
    )


def _accelerators(path: Path) -> str:
    """The table with two columns more."""
    out = io.StringIO()
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    writer = csv.DictWriter(out, [*rows[0], "source", "date"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        of_2019 = row["accelerator"] in OF_2019
        row["source"] = SOURCE_2019 if of_2019 else ACCELERATOR_SOURCE
        row["date"] = DATE_2019 if of_2019 else ACCELERATOR_DATE
        writer.writerow(row)
    # Without a date of its own, a line must not get the one of a table read before.
    return f"# source: {ACCELERATOR_SOURCE}\n# date:\n{out.getvalue()}"


if __name__ == "__main__":
    main()
