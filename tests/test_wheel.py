"""What is shipped: the wheel built from the sdist, in a clean environment."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*args: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(a) for a in args], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_of_the_sdist_works_in_a_clean_environment(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    # Without --sdist or --wheel, build makes the wheel from the sdist that it made first.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, ROOT, cwd=tmp_path)
    wheel = next(dist.glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == {"dbmask", "dbmask_connectors", "dbmask_sql"}
    assert {f"{p}/py.typed" for p in ("dbmask", "dbmask_connectors", "dbmask_sql")} <= set(names)
    assert any(n.endswith("licenses/LICENSE") for n in names)

    clean = tmp_path / "clean"
    # Its dependencies come from the environment that runs the tests; dbmask itself must not.
    venv.create(clean, with_pip=True)
    python = clean / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", wheel, cwd=tmp_path)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    here = next(p for p in map(Path, sys.path) if p.name == "site-packages")
    (site / "shared.pth").write_text(f"{here}\n", "utf-8")
    code = (
        f"SITE = {str(site)!r}"
        + """
import dbmask, dbmask_connectors, dbmask_sql, pathlib
assert pathlib.Path(dbmask.__file__).is_relative_to(SITE), dbmask.__file__
from dbmask_sql.packs import statement
assert "CREATE TEMPORARY TABLE dbmask_keys" in statement("postgres", "session_keys")
print(dbmask.__version__)
"""
    )
    assert run(python, "-I", "-c", code, cwd=tmp_path).strip()
    shown = run(clean / "bin" / "dbmask", "--version", cwd=tmp_path)
    assert shown.startswith("dbmask, version")
