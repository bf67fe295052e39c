"""From what is asked to pixels: the plan, the network, the blend into the plate."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
