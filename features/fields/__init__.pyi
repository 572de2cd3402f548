from .rows import BLOCK_ROWS as BLOCK_ROWS, FieldData as FieldData, FieldRows as FieldRows
