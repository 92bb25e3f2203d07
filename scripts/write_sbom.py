"""Bill of materials (CycloneDX 1.6, JSON) of this interpreter's installed packages, on standard output.

The image is built with it; without times or random numbers, so that equal packages give equal bytes.
"""

import json
import sys
from importlib.metadata import Distribution, distributions
from typing import Any, Final

OURS: Final = "cloud-terminal"


def bill(installed: list[Distribution]) -> dict[str, Any]:
    """Return the bill of the packages; our own is its subject."""
    components = {name_of(package): component(package) for package in installed}
    subject = components.pop(OURS, {"type": "application", "name": OURS})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**subject, "type": "application"}},
        "components": [components[name] for name in sorted(components)],
    }


def component(package: Distribution) -> dict[str, Any]:
    name, version = name_of(package), package.version
    url = f"pkg:pypi/{name}@{version}"
    found = {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}
    licence = package.metadata.get("License-Expression")
    return {**found, "licenses": [{"expression": licence}]} if licence else found


def name_of(package: Distribution) -> str:
    """Return the normalised name."""
    return package.metadata["Name"].lower().replace("_", "-").replace(".", "-")


def main() -> None:
    sys.stdout.write(json.dumps(bill(list(distributions())), indent=1) + "\n")


if __name__ == "__main__":
    main()
