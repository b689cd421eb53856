"""What an operator can set: one frozen value, read from `PROMPTHUB_*` at the edge."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import ssl
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

PREFIX = "PROMPTHUB_"
ADDRESS_FILE = "hub.url"
"""In the data folder: where the hub was last started."""
_HERE = Path(__file__).resolve().parent
FILES = _HERE / "_files" if (_HERE / "_files").is_dir() else _HERE.parent
"""Holds `templates`, `static` and `migrations`: inside a wheel, or the checkout."""
DATABASES = ("postgresql+asyncpg://", "sqlite+aiosqlite://")
# Names of the SDK and of scripts/setup; an app, the hub and its setup may share an environment.
OTHERS_NAMES = frozenset({"PROMPTHUB_URL", "PROMPTHUB_KEY", "PROMPTHUB_TORCH_INDEX"})

# What of our own environment the engine's process needs: its GPUs, their libraries, its tuning.
ENGINE_NAMES = frozenset(
    "CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_HOME CUDA_CACHE_PATH HIP_VISIBLE_DEVICES "
    "ROCR_VISIBLE_DEVICES NVIDIA_VISIBLE_DEVICES LD_LIBRARY_PATH PYTORCH_ALLOC_CONF "
    "PYTORCH_CUDA_ALLOC_CONF TMPDIR TZ".split()
)


class Secret(str):
    """A string that never shows itself in a repr or a log line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only `hub.app` and `hub.cli` build one; everyone else is handed the value they need."""

    data: Path = Path("data")
    """Folder that holds everything: database, repositories, secrets."""
    database_url: str = ""
    """Empty: SQLite at `DATA/hub.db`. Else `postgresql://…`."""
    host: str = "127.0.0.1"
    port: int = 8321
    public_url: str = ""
    """The address people use, e.g. `https://prompts.example.org`; empty: `http://host:port`."""
    allowed_hosts: str = ""
    """Further host names, comma-separated, that requests may carry."""
    secret_key: Secret = Secret("")
    """Signs and encrypts; empty: kept in `DATA/secret.key`, made on first start."""
    model_folders: str = ""
    """Folders with local models (safetensors), separated by `:`."""
    engine_devices: str = ""
    """Devices that local models run on, one engine each: `cuda:0,cuda:1`; empty: all GPUs."""
    private_hosts: str = ""
    """Machines on private addresses that may be called, comma-separated `host[:port]`."""
    ca_file: str = ""
    """Certificate authorities of one's own (PEM), trusted beside those that everybody trusts."""
    smtp_url: Secret = Secret("")
    """Where e-mail is handed in: `smtp://user:password@host:587`, `smtps://…`; empty: none goes."""
    mail_from: str = ""
    """Who e-mail comes from; empty: `prompthub` at the public address's host."""
    secure_cookies: bool = True
    """`false` only for browsers that refuse `Secure` cookies on plain-http loopback (Safari)."""
    debug: bool = False

    def __post_init__(self) -> None:
        if self.ca_file and not _holds_certificates(Path(self.ca_file)):
            raise ValueError(
                f"{PREFIX}CA_FILE names {self.ca_file}, which is no file with certificates (PEM)"
            )
        if self.database_url and not self.database.startswith(DATABASES):
            raise ValueError(
                f"{PREFIX}DATABASE_URL has to look like postgresql://user:password@host/name; "
                "leave it out for SQLite"
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **given: Any) -> Settings:
        """Read `PROMPTHUB_*`; `given` (command-line options) wins over the environment.

        Raises:
            msgspec.ValidationError: an unknown or ill-typed name, which it names.
        """
        ours = {
            key[len(PREFIX) :].lower(): value
            for key, value in environ.items()
            if key.startswith(PREFIX) and key not in OTHERS_NAMES
        }
        ours |= {key: value for key, value in given.items() if value is not None}
        return msgspec.convert(ours, cls, strict=False, dec_hook=_construct)

    @classmethod
    def from_environment(cls, **given: Any) -> Settings:
        """The settings of this process: the only place that reads its environment."""
        return cls.from_env(os.environ, **given)

    @staticmethod
    def engine_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """What the engine's process gets of it: nothing that could be a secret."""
        return {name: value for name, value in environ.items() if name in ENGINE_NAMES}

    @property
    def url(self) -> str:
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def database(self) -> str:
        """As SQLAlchemy wants it; others write Postgres's address without the name of a driver."""
        given = re.sub(r"^postgres(ql)?://", "postgresql+asyncpg://", self.database_url)
        return given or f"sqlite+aiosqlite:///{self.data.resolve()}/hub.db"

    @property
    def repositories(self) -> Path:
        return self.data / "repositories"

    def secret(self) -> Secret:
        """The key everything else is derived from (64 hex digits); made once, mode 0600."""
        if self.secret_key:
            return self.secret_key
        path = self.data / "secret.key"
        kept = path.read_text().strip() if path.exists() else ""
        return Secret(kept or _made_once(path))

    @property
    def lost_its_secret(self) -> bool:
        """Whether a hub was served from the folder, and the key it signed with is not there."""
        served = (self.data / ADDRESS_FILE).exists()
        return served and not self.secret_key and not (self.data / "secret.key").exists()

    @property
    def lost_its_tables(self) -> bool:
        """Whether a hub was served from the folder, and its tables are neither there nor named."""
        served = (self.data / ADDRESS_FILE).exists()
        return served and not self.database_url and not (self.data / "hub.db").exists()

    def derive(self, purpose: str) -> str:
        """A key of its own for each purpose, so that one that leaks tells nothing of the others."""
        key = self.secret().encode()[:64]
        return blake2b(purpose.encode(), key=key, digest_size=32).hexdigest()


def no_hub_in(settings: Settings) -> str:
    """Why a command finds nothing to work on, and what to do."""
    folder = settings.data.resolve()
    if settings.lost_its_tables:
        return (
            f"A hub was served from {folder}, but its tables are not there. If they are in "
            "Postgres, set PROMPTHUB_DATABASE_URL as it was then. If hub.db was lost, put it back "
            f"from a backup, or begin with new tables: prompthub init --data {folder}."
        )
    return (
        f"There is no hub in the folder {folder}. Give the right one with --data, or make one: "
        "prompthub init --data FOLDER."
    )


def wrong_setting(said: str) -> str:
    """The sentence about the setting that cannot be used, by the name that an operator gave it."""
    if unknown := re.search(r"unknown field `(\w+)`", said):
        known = ", ".join(PREFIX + name.upper() for name in Settings.__struct_fields__)
        return f"{PREFIX}{unknown[1].upper()} is not a setting. There are: {known}."
    where = re.search(r" - at `\$\.(\w+)`", said)
    name = f"{PREFIX}{where[1].upper()}: " if where else ""
    wanted = {"int": "a whole number", "bool": "true or false", "float": "a number"}
    kind = re.search(r"Expected `(\w+)`", said)
    asked = wanted.get(kind[1]) if kind else None
    return f"{name[:-2]} cannot be used: it has to be {asked}." if asked else f"{name}{said}."


def _construct(kind: type[Any], raw: Any) -> Any:
    return kind(raw)


def _made_once(path: Path) -> str:
    """The key at `path`, made if it holds none, and on disk before anything is signed with it.

    An empty file, as a kill or a full disk leaves it, counts as none: everybody would know that
    key. Of several starts at the same moment the first one makes it, the others read it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        key = file.read().strip()
        if not key:
            key = secrets.token_hex(32)
            file.seek(0)
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
    return key


def _holds_certificates(path: Path) -> bool:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError):
        return False
    return True
