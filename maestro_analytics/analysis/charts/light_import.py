"""Import altair without the parsers of internationalised web addresses that no chart needs.

Beside JupyterLab, jsonschema finds rfc3987_syntax, whose import builds 38 parsers: 1.3 of the 1.7 s of processor time
that the import of altair takes. Here they are built when a first address is checked.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

NAME = "rfc3987_syntax"


def _is_valid_syntax(term: str, value: str) -> bool:
    return bool(import_module(NAME).is_valid_syntax(term, value))


if {NAME, "jsonschema"}.isdisjoint(sys.modules) and find_spec(NAME):
    later = ModuleType(NAME)
    later.__dict__["is_valid_syntax"] = _is_valid_syntax
    sys.modules[NAME] = later
    try:
        import altair  # noqa: F401
    finally:
        del sys.modules[NAME]
