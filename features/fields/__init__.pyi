from .block_file import BlockFile as BlockFile
from .byte_streams import readable as readable
from .conversion import convert as convert
from .formats import FORMATS as FORMATS
from .in_memory import RowsInMemory as RowsInMemory
from .preparation import prepare as prepare
from .rows import BLOCK_ROWS as BLOCK_ROWS, FieldData as FieldData, FieldRows as FieldRows
from .schema import FieldSchema as FieldSchema
from .settings import FieldSettings as FieldSettings
