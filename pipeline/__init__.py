"""Video expression retargeting: what the command line does, as a library.

from retarget.pipeline import RetargetOptions, retarget_video
report = retarget_video("plate.mov", "smile.yaml", "out.mov", RetargetOptions(strength=0.8))
"""

import lazy_loader

# A public name is imported when it is first asked for: torch and mediapipe take seconds to load.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
