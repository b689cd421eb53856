"""Pages, assets and migrations lie beside the packages in a checkout; a wheel carries them in
`hub/_files`. All else about the distribution stands in pyproject.toml."""

from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
FILES = ("templates", "static", "migrations")


class BuildWithFiles(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # an editable install reads the checkout's own
            inside = Path(self.build_lib, "hub", "_files")
            rmtree(inside, ignore_errors=True)
            for name in FILES:
                copytree(HERE / name, inside / name, ignore=ignore_patterns("__pycache__", "css"))


setup(cmdclass={"build_py": BuildWithFiles})
