"""From videos and pictures to a dataset: the pipeline's own tracker, crop and action units."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
