"""Many clips, unattended: workers, the manifest, what survives a crash, the report in the morning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
