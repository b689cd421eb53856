"""What is installed holds all that a hub needs, not its Python alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BESIDE = {
    "templates": "templates/**/*.html", "dist": "static/dist/*", "fonts": "static/fonts/*",
    "icon": "static/*.svg", "migrations": "migrations/**/*.py",
}  # fmt: skip


def test_a_wheel_carries_pages_assets_migrations_and_data(tmp_path: Path):
    command = [sys.executable, "setup.py", "-q", "egg_info", "-e", str(tmp_path)]
    command += ["build_py", "-d", str(tmp_path / "lib")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    built = tmp_path / "lib"
    for what, pattern in BESIDE.items():
        wanted = {path.relative_to(ROOT) for path in ROOT.glob(pattern) if path.is_file()}
        assert wanted, what
        assert not {one for one in wanted if not (built / "hub" / "_files" / one).is_file()}, what
    ours = {
        path.relative_to(ROOT)
        for package in ("hub", "sdk")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not {one for one in ours if not (built / one).is_file()}
    for module in ("hub.web", "hub.migrate"):
        code = f"import {module} as m; print(m.FILES)"
        said = subprocess.run(
            [sys.executable, "-c", code], cwd=built, capture_output=True, text=True, timeout=200
        )
        assert said.stdout.strip() == str(built / "hub" / "_files"), said.stderr
