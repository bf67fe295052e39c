from .calibrate import Round as Round
from .calibrate import calibrated as calibrated
from .keep import save_geometry as save_geometry
from .linear import Fit as Fit
from .linear import GroupScore as GroupScore
from .linear import fit_geometry as fit_geometry
from .linear import geometry_model as geometry_model
from .motion import fit_motion as fit_motion
