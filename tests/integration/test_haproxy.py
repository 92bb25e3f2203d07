"""The proxy's configuration, read by the real HAProxy."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from sandbox.servers.private.haproxy import IN_THE_IMAGE, haproxy_program

CONFIGURATION: Final = Path(__file__).parents[2] / "deploy" / "haproxy"


def test_haproxy_accepts_its_configuration(tmp_path: Path) -> None:
    """As the image has it, but for the folder of its error files."""
    program, libraries = haproxy_program()
    config = shutil.copytree(CONFIGURATION, tmp_path / "haproxy") / "haproxy.cfg"
    config.write_text(config.read_text().replace(IN_THE_IMAGE, str(tmp_path / "haproxy")))

    done = subprocess.run(
        [program, "-c", "-f", config],
        env={"LD_LIBRARY_PATH": libraries},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
