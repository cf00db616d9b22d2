"""transformers' start: late, because it takes seconds, and without its advice to install PyTorch.

vidsim takes tokenizers from it and no models.
"""

import os
from types import ModuleType

_QUIET = "TRANSFORMERS_NO_ADVISORY_WARNINGS"


def import_transformers() -> ModuleType:
    """The transformers library; whoever sets TRANSFORMERS_NO_ADVISORY_WARNINGS decides himself."""
    if _QUIET in os.environ:
        import transformers

        return transformers
    os.environ[_QUIET] = "1"
    try:
        import transformers
    finally:
        del os.environ[_QUIET]
    return transformers
