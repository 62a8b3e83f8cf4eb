"""Settings of the Kiosk and of each job."""

from __future__ import annotations

from kiosk_locust.config import parsers
from kiosk_locust.config.parsers import Choice, optional
from kiosk_locust.config.table.setting import Resume, Setting

SETTINGS = (
    Setting(
        "api_host",
        "",
        "The older client's name for LOCUST_HOST, which wins over it.",
        derived="the simulated Kiosk",
        in_form=False,
        is_locusts=True,
        env_only=True,
        field="host",
        parse=optional(parsers.host),
        write=None,
        resume=Resume.PLAN,
    ),
    Setting(
        "simulate",
        "false",
        "Ask plainly for the simulated Kiosk; without a host it is the default.",
        is_flag=True,
        hint="use the simulated Kiosk, also where a host is known",
        parse=parsers.boolean,
        resume=Resume.ANEW,
    ),
    Setting(
        "file",
        "",
        "The image, or ZIP of images, in the bucket's upload folder that each job works on; where "
        "files are uploaded, a local file or folder. Required with a real Kiosk.",
        derived="image.png with the simulated Kiosk",
        hint="image or ZIP in the bucket's upload folder; needed with a real Kiosk",
        parse=parsers.plain,
        resume=Resume.PLAN,
    ),
    Setting(
        "job_type",
        "segmentation",
        "The type of job, as the Kiosk names it.",
        parse=parsers.name,
        resume=Resume.PLAN,
    ),
    Setting(
        "model",
        "modelname:0",
        "The model as name:version; modelname:0 leaves the choice to the job type.",
        hint="name:version; modelname:0 leaves the choice to the job type",
        field="model_name",
        also=("model_version",),
        parse=parsers.model,
        write=parsers.model_text,
        resume=Resume.PLAN,
    ),
    Setting(
        "scale",
        "1",
        "Factor to rescale images by; empty leaves the choice to the Kiosk.",
        empty_counts=True,
        hint="factor to rescale by; empty: the Kiosk chooses",
        parse=parsers.scale,
        resume=Resume.PLAN,
    ),
    Setting(
        "label",
        "",
        "Label type of the images; empty leaves the choice to the Kiosk.",
        empty_counts=True,
        hint="label type of the images; empty: the Kiosk chooses",
        resume=Resume.PLAN,
    ),
    Setting(
        "preprocess",
        "",
        "Function to apply before the model.",
        resume=Resume.PLAN,
    ),
    Setting(
        "postprocess",
        "",
        "Function to apply after the model.",
        resume=Resume.PLAN,
    ),
    Setting(
        "dimension_order",
        "auto",
        "Order of the image's axes, of which segmentation jobs take XY, BXY, CXY, XYB, XYC, BXYC "
        "and CXYB; auto looks at each file that is uploaded; empty sends none.",
        empty_counts=True,
        hint="order of the image's axes, such as XYB; auto: by the file; empty: none is sent",
        parse=parsers.dimension_order,
        resume=Resume.PLAN,
    ),
    Setting(
        "channels",
        "auto",
        "Numbers of the channels to use, with commas between: nuclear, phase, cytoplasm for "
        "segmentation (0,, uses the first as nuclei), nuclei and cytoplasm for mesmer (0,1); auto "
        "goes by the job type; empty sends none.",
        empty_counts=True,
        hint="channel numbers with commas between; auto: by the job type; empty: none are sent",
        parse=parsers.channels,
        resume=Resume.PLAN,
    ),
    Setting(
        "segmentation_type",
        "auto",
        "What a polaris job segments beside its spots: cell culture, tissue or none; auto is cell "
        "culture; empty sends none.",
        empty_counts=True,
        hint="of polaris: cell culture, tissue or none; auto: by the job type; empty: none is sent",
        parse=parsers.segmentation_type,
        resume=Resume.PLAN,
    ),
    Setting(
        "upload_prefix",
        "uploads",
        "Folder in the bucket that holds FILE; slashes at its ends do not matter.",
        hint="folder in the bucket that holds the file",
        parse=parsers.upload_prefix,
        write=lambda prefix: prefix or "/",
        resume=Resume.PLAN,
    ),
    Setting(
        "num_gpus",
        "0",
        "GPUs that the Kiosk has, for the name of the results file; 0 leaves it out.",
        unit="GPUs",
        hint="of the Kiosk, for the name of the results file; 0: left out",
        parse=parsers.whole_number(0),
    ),
    Setting(
        "require_idle",
        "warn",
        "Where the Kiosk's Prometheus says before the start that jobs are waiting there: warn, "
        "refuse to start, or wait until they are done.",
        in_form=False,
        parse=Choice("warn", "refuse", "wait"),
        resume=Resume.ANEW,
    ),
)
