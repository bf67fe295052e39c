from .errors import EvaluationError as EvaluationError
from .errors import ReportWriteError as ReportWriteError
from .evaluation import evaluate as evaluate
from .options import EvaluateOptions as EvaluateOptions
from .report import JSON_FILE as JSON_FILE
from .report import TABLES_FILE as TABLES_FILE
from .scores import Evaluation as Evaluation
from .scores import MethodScores as MethodScores
