"""Who is in a clip, frame by frame: shots, landmarks, pose, action units, the crop."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
