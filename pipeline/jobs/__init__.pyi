from .cells import JobSheetError as JobSheetError
from .job import Job as Job
from .job import JobSheet as JobSheet
from .job_settings import settings_model as settings_model
from .load import jobs_from_globs as jobs_from_globs
from .load import load_sheet as load_sheet
from .names import DEFAULT_NAME as DEFAULT_NAME
from .sheet_yaml import value_of as value_of
