from .drivers import load_driver as load_driver
from .errors import RetargetError as RetargetError
from .faces import FaceSelection as FaceSelection
from .faces import track_video as track_video
from .media import EncodeOptions as EncodeOptions
from .options import RetargetOptions as RetargetOptions
from .records import Report as Report
from .run import retarget_video as retarget_video
