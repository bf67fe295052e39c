"""Video, pictures and image sequences in and out; the only room that knows PyAV."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
