"""Settings of the Kiosk and of what each job asks of it."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "api_host",
        "API_HOST",
        "",
        "The older client's name for LOCUST_HOST, which wins over it.",
        derived="the simulated Kiosk",
        in_form=False,
        is_locusts=True,
        env_only=True,
    ),
    Setting(
        "simulate",
        "SIMULATE",
        "false",
        "Ask plainly for the simulated Kiosk; without a host it is the default.",
        is_flag=True,
        hint="use the simulated Kiosk, also where a host is known",
    ),
    Setting(
        "file",
        "FILE",
        "",
        "The image, or ZIP of images, in the bucket's upload folder that each job works on; where "
        "files are uploaded, a local file or folder. Required with a real Kiosk.",
        derived="image.png with the simulated Kiosk",
        hint="image or ZIP in the bucket's upload folder; needed with a real Kiosk",
    ),
    Setting("job_type", "JOB_TYPE", "segmentation", "The type of job, as the Kiosk names it."),
    Setting(
        "model",
        "MODEL",
        "modelname:0",
        "The model as name:version; modelname:0 leaves the choice to the job type.",
        hint="name:version; modelname:0 leaves the choice to the job type",
    ),
    Setting(
        "scale",
        "SCALE",
        "1",
        "Factor to rescale images by; empty leaves the choice to the Kiosk.",
        empty_counts=True,
        hint="factor to rescale by; empty: the Kiosk chooses",
    ),
    Setting(
        "label",
        "LABEL",
        "",
        "Label type of the images; empty leaves the choice to the Kiosk.",
        empty_counts=True,
        hint="label type of the images; empty: the Kiosk chooses",
    ),
    Setting("preprocess", "PREPROCESS", "", "Function to apply before the model."),
    Setting("postprocess", "POSTPROCESS", "", "Function to apply after the model."),
    Setting(
        "dimension_order",
        "DIMENSION_ORDER",
        "auto",
        "Order of the image's axes, of which segmentation jobs take XY, BXY, CXY, XYB, XYC, BXYC "
        "and CXYB; auto looks at each file that is uploaded; empty sends none.",
        empty_counts=True,
        hint="order of the image's axes, such as XYB; auto: by the file; empty: none is sent",
    ),
    Setting(
        "channels",
        "CHANNELS",
        "auto",
        "Numbers of the channels to use, with commas between: nuclear, phase, cytoplasm for "
        "segmentation (0,, uses the first as nuclei), nuclei and cytoplasm for mesmer (0,1); auto "
        "goes by the job type; empty sends none.",
        empty_counts=True,
        hint="channel numbers with commas between; auto: by the job type; empty: none are sent",
    ),
    Setting(
        "segmentation_type",
        "SEGMENTATION_TYPE",
        "auto",
        "What a polaris job segments beside its spots: cell culture, tissue or none; auto is cell "
        "culture; empty sends none.",
        empty_counts=True,
        hint="of polaris: cell culture, tissue or none; auto: by the job type; empty: none is sent",
    ),
    Setting(
        "upload_prefix",
        "UPLOAD_PREFIX",
        "uploads",
        "Folder in the bucket that holds FILE; slashes at its ends do not matter.",
        hint="folder in the bucket that holds the file",
    ),
    Setting(
        "num_gpus",
        "NUM_GPUS",
        "0",
        "GPUs that the Kiosk has, for the name of the results file; 0 leaves it out.",
        unit="GPUs",
        hint="of the Kiosk, for the name of the results file; 0: left out",
    ),
    Setting(
        "require_idle",
        "REQUIRE_IDLE",
        "warn",
        "Where the Kiosk's Prometheus says before the start that jobs are waiting there: warn, "
        "refuse to start, or wait until they are done.",
        choices=("warn", "refuse", "wait"),
        in_form=False,
    ),
)
