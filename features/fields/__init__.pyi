from .block_file import BlockFile as BlockFile
from .convert import convert as convert
from .formats import FORMATS as FORMATS
from .in_memory import RowsInMemory as RowsInMemory
from .prepare import prepare as prepare
from .rows import BLOCK_ROWS as BLOCK_ROWS, FieldData as FieldData, FieldRows as FieldRows
from .schema import FieldSchema as FieldSchema
from .settings import FieldSettings as FieldSettings
