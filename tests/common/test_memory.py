"""How much memory there is."""

from common import free_memory, memory


def test_free_memory_is_the_least_that_the_system_or_a_container_leaves(tmp_path, monkeypatch):
    system, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    monkeypatch.setattr(memory, "MEMORY_OF_SYSTEM", system)
    monkeypatch.setattr(memory, "LIMIT_OF_CONTAINER", limit)
    assert free_memory() is None
    system.write_text("MemTotal:  900 kB\nMemAvailable:  500 kB\n")
    assert free_memory() == 500 * 1024
    for words, free in (("max\n", 500 * 1024), ("1000\n", 1000), ("9000000\n", 500 * 1024)):
        limit.write_text(words)
        assert free_memory() == free
