from .clock import Clock as Clock
from .prefetch import prefetched as prefetched
