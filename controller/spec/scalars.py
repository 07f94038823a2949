"""What a plain scalar means: YAML 1.2's core schema, so that `no`, `on`, `1:30` and dates stay what people wrote."""

import re

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def plain_value(text: str) -> object:
    """The value of an unquoted scalar: None, a bool, an int, a float, or the text itself."""
    if text in NULLS:
        return None
    if text in BOOLS:
        return BOOLS[text]
    if text[0] not in "-+.0123456789":
        return text
    if INT.fullmatch(text):
        return int(text)
    # A long row of digits is a hash or an id that lost its quotes, not a number.
    if len(text) <= 40 and FLOAT.fullmatch(text) and any(mark in text for mark in ".eE"):
        return float(text)
    return float(text.replace(".", "").lower()) if SPECIAL.fullmatch(text) else text
