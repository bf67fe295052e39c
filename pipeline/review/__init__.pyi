from .curve_plot import plot_curves as plot_curves
from .preview import preview as preview
from .quality import ClipQuality as ClipQuality
from .quality import QcInput as QcInput
from .quality import markers_of as markers_of
from .quality import measure_quality as measure_quality
from .quality import quality_from_json as quality_from_json
from .report_page import write_qc as write_qc
