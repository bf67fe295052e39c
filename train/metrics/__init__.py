"""What measures faces, pictures and edits: pure functions, frozen networks, the tracker on crops."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
