"""Cuts from the editing room: EDL, OpenTimelineIO and scene lists; media and timecode."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
