from .curve_plot import plot_curves as plot_curves
from .measure import measure_quality as measure_quality
from .preview_job import preview as preview
from .qc_report import write_qc as write_qc
from .quality import ClipQuality as ClipQuality
from .quality import QcInput as QcInput
from .quality import markers_of as markers_of
from .quality import quality_from_json as quality_from_json
