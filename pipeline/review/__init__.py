"""To look at what was done: previews, plots, the quality of a clip, the report page."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
