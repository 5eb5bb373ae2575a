"""Prints what is installed in an image, as CycloneDX: Python's distributions and Debian's packages.

    python3 sbom.py PROGRAM

Run by the image's own Python while it is built, on what is really there. The image has the name and
the version of the distribution that PROGRAM belongs to. Nothing in it depends on when or where it
was built.
"""

import json
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]

_DPKG = Path("/var/lib/dpkg")
_DISTRIBUTION = platform.freedesktop_os_release()["ID"]
_LICENCE = "License :: OSI Approved :: "
_LONGEST_NAME = 64
"""Some distributions have the whole text of a licence where its name belongs."""


def bill(program: str) -> Component:
    """The bill of materials of the image that is made for this program."""
    found = (*map(_of_python, distributions()), _interpreter(), *map(_of_debian, _packages()))
    components = {component["bom-ref"]: component for component in found}
    (own,) = (each for each in distributions() if each.entry_points.select(name=program))
    image = {"type": "container", "name": own.name, "version": own.version}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**image, "bom-ref": "image"}},
        "components": [components[reference] for reference in sorted(components)],
    }


def _component(kind: str, name: str, number: str, where: str) -> Component:
    url = f"pkg:{where}/{quote(name)}@{quote(number)}"
    return {"type": kind, "bom-ref": url, "name": name, "version": number, "purl": url}


def _of_python(distribution: Distribution) -> Component:
    name = distribution.metadata["Name"].lower().replace("_", "-")
    component = _component("library", name, distribution.version, "pypi")
    licences = [*_licences(distribution)]
    return {**component, "licenses": licences} if licences else component


def _licences(distribution: Distribution) -> Iterator[Component]:
    """As an SPDX expression where the distribution has one, else by the names that it gives."""
    told = distribution.metadata
    if "License-Expression" in told:
        yield {"expression": told["License-Expression"]}
        return
    classifiers = [each for each in told.get_all("Classifier", []) if each.startswith(_LICENCE)]
    names = [each.removeprefix(_LICENCE) for each in classifiers] or told.get_all("License", [])
    for name in names:
        if name and len(name) <= _LONGEST_NAME and "\n" not in name:
            yield {"license": {"name": name}}


def _interpreter() -> Component:
    return _component("platform", "python", platform.python_version(), "generic")


def _of_debian(package: dict[str, str]) -> Component:
    return _component("library", package["Package"], package["Version"], f"deb/{_DISTRIBUTION}")


def _packages() -> Iterator[dict[str, str]]:
    """The packages that dpkg has installed; images without a shell have a file for each."""
    for file in (_DPKG / "status", *sorted((_DPKG / "status.d").glob("*"))):
        if not file.is_file() or file.suffix == ".md5sums":
            continue
        for paragraph in file.read_text(encoding="utf-8").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
            if "Package" in fields and fields.get("Status", "ok installed").endswith(" installed"):
                yield fields


if __name__ == "__main__":
    json.dump(bill(sys.argv[1]), sys.stdout, indent=1)
    sys.stdout.write("\n")
