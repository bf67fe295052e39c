"""Files as such: whole or not at all, sequences of pictures, text with line numbers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
