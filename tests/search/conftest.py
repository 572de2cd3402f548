"""The databases that a search may keep its studies in."""

from collections.abc import Iterator

import pytest

from benchmarks.postgres import programs, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL; its studies are shared by the tests of a session, so each takes a name of its own."""
    pytest.importorskip("psycopg", reason="the extra `scale` is not installed: pip install -e '.[scale]'")
    if not programs():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def storage_url(request: pytest.FixtureRequest, tmp_path) -> str:
    return f"sqlite:///{tmp_path}/studies/test.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
