from .atomic_files import write_atomically as write_atomically, write_json as write_json
from .command_line import CommandParser as CommandParser, exit_code as exit_code
from .errors import InputError as InputError, one_line as one_line, unknown as unknown
from .png import write_png as write_png
from .processes import run_side_by_side as run_side_by_side
from .run_folder import (
    RunError as RunError,
    agent_folders as agent_folders,
    describe_run as describe_run,
    hash_of as hash_of,
    new_run as new_run,
    newest_run as newest_run,
    require_data_of as require_data_of,
    seeds_of as seeds_of,
)
from .sealed_tensors import SealError as SealError, Tensors as Tensors, read_sealed as read_sealed, write_sealed as write_sealed
from .settings import Settings as Settings, differences as differences, put_setting as put_setting
