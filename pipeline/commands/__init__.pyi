from .terminal import bars as bars
from .terminal import parser as parser
from .terminal import run_command as run_command
