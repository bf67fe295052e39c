from .labels import read_picture as read_picture
from .options import FlagLimits as FlagLimits
from .options import PrepareOptions as PrepareOptions
from .prepare import prepare_dataset as prepare_dataset
from .report import PrepareReport as PrepareReport
from .report import Skipped as Skipped
from .sources import identity_of as identity_of
