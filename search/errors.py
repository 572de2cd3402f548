"""The error of a study; apart from the storage, so that a refusal need not import a database."""

from common import InputError


class StudyError(InputError):
    """A study that cannot be opened or does not belong to what is being run."""
