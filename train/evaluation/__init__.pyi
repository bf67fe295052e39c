from .bench import Progress as Progress
from .evaluation import EvaluateOptions as EvaluateOptions
from .evaluation import evaluate as evaluate
from .report import TABLES_FILE as TABLES_FILE
from .trials import relative as relative
