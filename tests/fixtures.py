"""Real image files and tars, which the repository doesn't hold: tests over them skip when the folder is absent."""

from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"


def fixture_files(folder: str, pattern: str = "*") -> list[Path]:
    """Files below FIXTURES/folder in a fixed order; none when the fixtures are absent."""
    return sorted(path for path in (FIXTURES / folder).rglob(pattern) if path.is_file())
