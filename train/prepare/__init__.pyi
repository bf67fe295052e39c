from .labels import read_picture as read_picture
from .prepare import CropMeter as CropMeter
from .prepare import PrepareOptions as PrepareOptions
from .prepare import prepare_dataset as prepare_dataset
