"""How good checkpoints are, side by side: the same faces, the same requests, every method."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
