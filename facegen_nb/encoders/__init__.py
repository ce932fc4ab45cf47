"""Face recognition encoders: images to unit embeddings."""

# Written by hand: no notebook exports this file.
from facegen_nb.core import lazy_exports

__getattr__, __dir__ = lazy_exports(__name__)
