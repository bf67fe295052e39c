from .calibrate import calibrated as calibrated
from .linear import fit_dataset as fit_dataset
from .linear import geometry_model as geometry_model
from .response import fit_motion as fit_motion
