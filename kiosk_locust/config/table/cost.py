"""Settings of the cost estimate."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "cost_tail",
        "COST_TAIL",
        "0",
        "How long to wait and count nodes after the run's end: a time, or until-idle for the "
        "autoscaler's scale-down.",
        unit="s, or until-idle",
    ),
    Setting(
        "images_per_job",
        "IMAGES_PER_JOB",
        "",
        "Images that a job counts for in the cost of an image where the Kiosk did not count them; "
        "its own count wins.",
        unit="images",
        derived="the jobs that the Kiosk makes of the ZIP where it can be read",
    ),
    Setting(
        "prices",
        "PRICES",
        "",
        "CSV file with prices of machine types or accelerators, which wins over all others.",
        derived="OpenCost's prices, else the tables of this package",
        is_path=True,
    ),
    Setting(
        "node_type",
        "NODE_TYPE",
        "",
        "What nodes are where the cluster does not tell, such as "
        "prediction-gpu=n1-highmem-2+nvidia-tesla-t4:spot; several with commas, or the flag "
        "several times.",
        derived="the labels of the nodes",
        repeats=True,
    ),
    Setting(
        "no_network_cost",
        "NO_NETWORK_COST",
        "false",
        "Leave the bucket's storage and requests out of the cost.",
        is_flag=True,
    ),
)
