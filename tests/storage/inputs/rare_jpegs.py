"""JPEGs of kinds that Pillow does not write, made by others and kept here.

A picture of 18 by 14 pixels each. Lossless ones and those of more bits are by imagecodecs 2026.3.6
(``jpeg8_encode``, libjpeg-turbo 3), the one with arithmetic coding by jpeglib 1.0.2 (libjpeg-turbo
2.1), its progressive kin and that with restart marks by ``jpegtran`` of libjpeg-turbo 2.1.5.
"""

from __future__ import annotations

import base64

_TEXTS = {
    "lossless": """
        /9j/7gAOQWRvYmUAZAAAAAAA/8MAEQgADgASA1IRAEcRAEIRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAQDCAX/2gAM
        A1IARwBCAAEAAM/5/wA/1U+qn1U+qn1U+qn1U+qn1U+qn1U+qn1U+qn1U+qn1U9PS7dVPqp9VPqp9VPqp9VPqp9V
        Pqp9VPqp9VPqp9VPqrB1VPT0u3VT6qfVT6qfVT6qfVT6qfVT6qfVT6qfVT6qwdVT6qfVT09Lt1U+qn1U+qn1U+qn
        1U+qn1U+qn1U+qsHVU+qn1U+qn1U9PS7dVPqp9VPqp9VPqp9VPqp9VPqrB1VPqp9VPqp9VPqp9VPT0u3VT6qfVT6
        qfVT6qfVT6qfVWDqqfVT6qfVT6qfVT6qfXBL09Lt1U+qn1U+qn1U+qn1Vg6qn1U+qn1U+qn1U+qn1wS+qn1U9PS7
        dVPqp9VPqp9VYOqp9VPqp9VPqp9VPqp9cEvqp9VPqp9VPT0u3VT6qfVWDqqfVT6qfVT6qfVT6qfVT64JfVT6qfVT
        6qfVT09Lt1Vg6qn1U+qn1U+qn1U+qn1U+uCX1U+qn1U+qn1U+qn1U9PSw1VT6qfVT6qfVT6qfVT64JfVT6qfVT6q
        fVT6qfVT6qfVWDk9Lt1U+qn1U+qn1U+uCX1U+qn1U+qn1U+qn1U+qn1Vg6qn1U9PS7dVPqp9VPrgl9VPqp9VPqp9
        VPqp9VPqp9VYOqp9VPqp9VPT0u3VT6qfXBL6qfVT6qfVT6qfVT6qfVWDqqfVT6qfVT6qfVT/AP/Z
    """,
    "lossless, grey": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/wwALCAAOABIBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAAAwQI/9oACAEBAAEA
        AM/qqqqqqqqqqqtKqqqqqqqqqqrSqqqqqqqqqqq0qqqqqqqqqqqtKqqqqqqqqqqrSqqqqqqqqqqq0qqqqqqqqqqq
        tKqqqqqqqqqqrSqqqqqqqqqqq0qqqqqqqqqqqtKqqqqqqqqqqrSqqqqqqqqqqq0qqqqqqqqqqqtKqqqqqqqqqqr/
        AP/Z
    """,
    "arithmetic": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0s
        LiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8
        fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/yQARCAAOABIDACIAAREBAhEB/8wA
        CgAQEAUBEBEF/9oADAMAAAERAhEAPwD+Guo5E/yESCzD8GRFrBp6NIQPyLBwNWLkgFOslqRm8ugTyCheSdV8fWAx
        Nuhcm8Ll6Yo9nQ9j8FASrom6gV6+AQEXPFa0cbN9umc76SidbKSC4RweJOJdZr5zg3orKqtjJ1xnqW+Jkj6i/9k=
    """,
    "arithmetic, progressive": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVt
        VkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8
        fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/ygARCAAOABIDASIAAhEBAxEB/8wABgAQARD/2gAMAwEAAhADEAAA
        Afv4QAwEyY/v/8wABBAF/9oACAEBAAEFAh6rJmWNq6xQ5t7S/8wABBEF/9oACAEDAQE/AR6aqoWu5//MAAQRBf/a
        AAgBAgEBPwF71sarcK2swP/MAAQQBf/aAAgBAQAGPwL3n/i8Krjr/8wABBAF/9oACAEBAAE/Id4HwE05I7b7ovu+
        OgLiMP/aAAwDAQACAAMAAAAQI0D/zAAEEQX/2gAIAQMBAT8QNZ4h/8wABBEF/9oACAECAQE/EGJNQeiXder/zAAE
        EAX/2gAIAQEAAT8Q9yMeItuChSQo3riAL3mY4Kms4u3CUiyTJe5Wrtmhw0eIsP/Z
    """,
    "arithmetic, restarts": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVt
        VkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8
        fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/yQARCAAOABIDASIAAhEBAxEB/8wACgAQEAUBEBEF/90ABAAB/9oA
        DAMBAAIRAxEAPwD+Guo5E/yESCzD8GRFrBp6NIQPyLBwNWLkgFOslqRm8ugTyCheSdV8fWAxNuhcm8Ll6Yo9nQ9j
        8FASrom6gV6+AQEXPFa0cbOA/9Cr+nZogo4pDrq+U0/OT1qhnjEVBXZrqjKKgW1MANlQVZL/2Q==
    """,
    "lossless, 16 bits": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAAOABIBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAACgsQ/9oACAEBAAEA
        AM+h9D6H0PofQ+h9D6H0PofQ+h9D6H0PouEPofQ+h9D6H0PofQ+h9D6H0PofQ+h9D6LhD6H0PofQ+h9D6H0PofQ+
        h9D6H0PofQ+i4Q+h9D6H0PofQ+h9D6H0PofQ+h9D6H0PouEPofQ+h9D6H0PofQ+h9D6H0PofQ+h9D6LhD6H0PofQ
        +h9D6H0PofQ+h9D6H0PofQ+i4Q+h9D6H0PofQ+h9D6H0PofQ+h9D6H0PouEPofQ+h9D6H0PofQ+h9D6H0PofQ+h9
        D6LhD6H0PofQ+h9D6H0PofQ+h9D6H0PofQ+i4Q+h9D6H0PofQ+h9D6H0PofQ+h9D6H0PouEPofQ+h9D6H0PofQ+h
        9D6H0PofQ+h9D6LhD6H0PofQ+h9D6H0PofQ+h9D6H0PofQ+i4Q+h9D6H0PofQ+h9D6H0PofQ+h9D6H0PouEPofQ+
        h9D6H0PofQ+h9D6H0PofQ+h9D6P/2Q==
    """,
    "12 bits": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJ
        BwYGCAsICQoKCgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoK
        CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgr/wQARDAAOABIDASIAAhEBAxEB/8QAGAAAAwEBAAAAAAAAAAAAAAAA
        AAsMBgj/xAAnEAABBAICAgEEAwEAAAAAAAAFAwQGBwgJAgoLDAEAEhMVDRQWF//EABYBAQEBAAAAAAAAAAAAAAAA
        AAoJC//EACERAAEEAgIDAQEAAAAAAAAAAAQBAgMFBgcJCggLFBIj/9oADAMBAAIRAxEAPwCXG9a+/jpzX3qRxmon
        MPZXrKglL1yK/op/6KcxFNr+xdpMlnv64e3/ABfK5Qio3ZulER7NNZ24/Bz4ooqcvj7fqxF6xHhW/G9eDo6nT/ug
        d7Dcnq160OlbH06UjY3a3tolAkDI8gpkBgh6yU64pSuiTNUzZdnGYvXViPANVxYJL5/MGYhdMDHP2rfky4an2c7z
        emKnp9fcI06+MG6Z/Q1wg3tdrLbJo8rvaWI2ub5LXmHHBLCukpPk5LK8jMRa1BWToLOblNHU6eyGbOgbGX1QEgK7
        +uzjF7P0iB+JiU5tm6pe/H5sPs8YTbjvNj+QjzH7OeyyJVQ2m2EUFzINCa4w7wyGSWLxqAHXtPUHWQEBWlQOJB/x
        ivnUsGV7Dopwmj4EieOknx3muQXrxrnk67KPZz60RXM6Bs8Thl4TQf3PY7YxMyTZHl5tClYSfTjC40/A6y+H1APZ
        XQjhpSqZQswo7MIeWDKLnGSzoyindOn1a3Yd77eutbcn3IZt4bWviNnX3mUxQZoVzmWYhAGmVxMuL461TKipEjtK
        2wqi7TPzQDRXxIaBg18LLDOjK/Nj3nT1XjVxmXbesvB3qf8AlBtkNK46WcfrCn9iGF2rvHwFTuUcWAEVxQq04INt
        vL+E2APikkZNEDgprM4jFZOgPJtUzUfBkuDsY1Prs2h/WR3FgUdDJ5E9wGL8HFG4oOfjIVF8SYmsMj7dZsmomPaK
        Eoy7ec26HHl8JJ8nTlw4+eCfH5VWV5/cpyPoG0fOv6LDBWJjcQXLFesBT50s2bOw+NlikH8kPZHJ5IV0jGmI36Gs
        fXgPakiNcEK5FgZsD0fo6PXRU9IKBYYtnZhEMbGSEE7IvWkTvY1GvmIaHiEAiTSuRXyoLBCOj3OSCKOL8sT/2Q==
    """,
}
#: By what is rare about them.
RARE_JPEGS = {name: base64.b64decode(text) for name, text in _TEXTS.items()}
