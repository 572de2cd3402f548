"""The settings of click-through files: how each is read, and how its features are numbered."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from common import Settings

FORMAT_NAMES = ("libsvm", "libffm", "csv", "parquet")
"""the formats that `FORMATS` holds; a test compares the two"""


class FieldSettings(Settings):
    """How a file of fields is read. What is estimated from data is estimated on the training file alone."""

    format: Literal["auto", "libsvm", "libffm", "csv", "parquet"] = "auto"
    """format of the file; auto recognises it by its content. libfm files are libsvm files. Text may be gzipped"""
    loss: Literal["logloss", "squared"] = "logloss"
    """logloss: labels are 0 and 1, or -1 and 1, which become 0 and 1; squared: labels are any finite numbers"""
    label: str = "label"
    """column of the labels in a CSV or Parquet file"""
    libsvm_fields: Literal["one_field", "by_position"] = "one_field"
    """fields of a libsvm file, which names none: one_field puts all entries into one; by_position puts the first entry of each
    line into field 0, the second into field 1, and so on, so each line must have as many"""
    overlap: Literal["refuse", "renumber", "share"] = "refuse"
    """a feature number that occurs in two fields: refuse is an error; renumber makes it another feature in each field; share
    keeps it one feature, as libffm and xLearn do"""
    hash_bits: int = Field(0, ge=0, le=30)
    """features are numbered by a hash of this many bits, without a vocabulary, and some collide; 0 numbers them exactly"""
    normalize_features: Literal["none", "minmax", "standard"] = "none"
    """values of each feature of a libsvm or libffm file, by its entries in train: minmax brings them to 0..1, standard to mean 0
    and deviation 1. A feature that has one value alone keeps it"""
    numeric: Literal["bins", "standard", "value"] = "bins"
    """numeric columns of a CSV or Parquet file: cut into bins that hold equally many values of train; standardised by mean and
    deviation of train; or taken as they are"""
    bins: int = Field(16, ge=2, le=1_024)
    """bins of a numeric column, at most"""
    numeric_columns: tuple[str, ...] = ()
    """columns that are numeric; one that neither list names is numeric if train has a fraction in it, else it is a category"""
    categorical_columns: tuple[str, ...] = ()
    """columns that are categories, though they may hold fractions"""

    @field_validator("numeric_columns", "categorical_columns", mode="before")
    @classmethod
    def _by_commas(cls, names: object) -> object:
        """On a command line `price,age` is easier to write than a list."""
        return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names

    @model_validator(mode="after")
    def _each_column_is_one_thing(self) -> "FieldSettings":
        named = [*self.numeric_columns, *self.categorical_columns, self.label]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"a column is the label, numeric or a category, but {twice[0]!r} is named twice; keep one of them")
        return self

    @model_validator(mode="after")
    def _hashed_features_have_no_statistics(self) -> "FieldSettings":
        if self.hash_bits and self.normalize_features != "none":
            raise ValueError(
                "hashed features share their numbers, so they have no values of their own to normalise; set one to 0"
            )
        return self
