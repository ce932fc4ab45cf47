__version__ = "0.1.0"

import os as _os
import sys as _sys

if _sys.platform == 'darwin':  # before torch is imported: what it lacks on Apple's MPS is then computed on the CPU, not an error
    _os.environ.setdefault('PYTORCH_ENABLE_MPS_FALLBACK', '1')
