from .atomic_files import atomic_file as atomic_file, write_atomically as write_atomically, write_json as write_json
from .command_line import CommandParser as CommandParser, exit_code as exit_code
from .compiling import cached as cached
from .errors import (
    InputError as InputError,
    PluginError as PluginError,
    RunError as RunError,
    one_line as one_line,
    printable as printable,
    unknown as unknown,
)
from .extras import (
    EXTRAS as EXTRAS,
    MissingPackageError as MissingPackageError,
    explained as explained,
    needed_for as needed_for,
    require_extras as require_extras,
)
from .memory import free_memory as free_memory
from .option_names import (
    Spelling as Spelling,
    in_a_script as in_a_script,
    in_python as in_python,
    in_training as in_training,
    option as option,
    spelled as spelled,
)
from .plugins import (
    LISTS as LISTS,
    Kind as Kind,
    Registry as Registry,
    blamed as blamed,
    copy_plugins as copy_plugins,
    load_plugins as load_plugins,
    own_names as own_names,
    provider as provider,
    unload_plugins as unload_plugins,
)
from .png import write_png as write_png
from .processes import run_side_by_side as run_side_by_side
from .run_folder import (
    NOT_SEALED as NOT_SEALED,
    DataHash as DataHash,
    agent_folders as agent_folders,
    describe_run as describe_run,
    new_run as new_run,
    newest_run as newest_run,
    require_data_of as require_data_of,
    require_sealed_run as require_sealed_run,
    seeds_of as seeds_of,
)
from .run_seals import (
    require_seal as require_seal,
    sealed_content as sealed_content,
    write_and_seal as write_and_seal,
    write_json_and_seal as write_json_and_seal,
)
from .sealed_tensors import SealError as SealError, Tensors as Tensors, read_sealed as read_sealed, write_sealed as write_sealed
from .settings import Settings as Settings, differences as differences, hash_of as hash_of, put_setting as put_setting
