__version__ = "0.1.0"

import os as _os
import sys as _sys

if _sys.platform == 'darwin':  # set before torch is imported: operations that MPS lacks then run on the CPU
    _os.environ.setdefault('PYTORCH_ENABLE_MPS_FALLBACK', '1')

_NAMES = {
    'curate': 'data',
    'load_encoder': 'encoders',
    'embed_images': 'encoders',
    'load_generator': 'models',
    'Generator': 'models',
    'evaluate': 'metrics',
}


def __getattr__(name: str):
    "The names that most programs need, imported when they are first asked for (PEP 562)."
    if name in _NAMES:
        import importlib

        return getattr(importlib.import_module(f'facegen_nb.{_NAMES[name]}'), name)
    raise AttributeError(f"module 'facegen_nb' has no attribute '{name}'")
