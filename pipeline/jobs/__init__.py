"""What a batch is to do: sheets, timelines and globs, checked whole and made into jobs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
