"""A real browser without a window: Chromium from Debian's packages, unpacked, not installed."""

import os
import subprocess
from pathlib import Path

from bed import debian

_PACKAGES = ("chromium-headless-shell",)
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_SECONDS = 120


def seen(page: Path, width: int, *flags: str) -> str:
    """The page as it is after its scripts have run, in a window of this width; no network."""
    root = debian.unpacked(_PACKAGES)
    libraries = (root / _LIBRARIES, root / _LIBRARIES / "pulseaudio")
    done = subprocess.run(
        [
            str(root / "usr/lib/chromium/chromium-headless-shell"),
            "--no-sandbox",  # root has none, and the page is our own
            "--disable-gpu",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={page.parent / 'profile'}",
            f"--window-size={width},1800",
            *flags,
            "--dump-dom",
            page.as_uri(),
        ],
        env={**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    return done.stdout
