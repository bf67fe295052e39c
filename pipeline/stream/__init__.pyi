from .clock import Clock as Clock
from .cores import usable_cores as usable_cores
from .prefetch import prefetched as prefetched
from .progress import Progress as Progress
from .progress import Stage as Stage
from .progress import no_progress as no_progress
