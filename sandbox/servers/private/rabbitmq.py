"""A private RabbitMQ node: two children, a temporary folder, everything on loopback."""

import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.servers.external import amqp_refusal
from sandbox.servers.private.cache import cache_folder, complete_folder
from sandbox.servers.private.children import Child, free_ports
from sandbox.servers.private.packages import add_missing_libraries, known_packages, library_path, unpack
from sandbox.servers.private.server import PrivateServer
from sandbox.servers.server import PortTaken, SourceMissing, StartFailed, say

CONTROL_SECONDS = 60.0
MEMORY_LIMIT = "1GB"
INSTALLED_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the wrapper in /usr/sbin insists on root
ERLANG_PARTS = (
    "asn1|base|crypto|eldap|ftp|inets|mnesia|os-mon|parsetools|public-key|"
    "runtime-tools|ssl|syntax-tools|tools|xmerl"
)


@dataclass(frozen=True)
class RabbitmqPrograms:
    """Programs of a RabbitMQ, with their source."""

    origin: str
    server: Path
    erlang_commands: Path
    """The folder with `erl` and `epmd`."""
    libraries: str = ""
    """LD_LIBRARY_PATH, or empty."""


class PrivateRabbitmq(PrivateServer):
    """A private node with the user guest:guest, and its own epmd.

    epmd, Erlang's name service, starts first and in the foreground: a node that finds none starts a daemon,
    which would outlive this process. With `certificate`, a file with key and certificate, there is a second
    port, for TLS.
    """

    title = "RabbitMQ"
    #: 10 s on a quiet machine; a node that ends is noticed at once.
    ready_seconds = 240.0

    def __init__(
        self,
        programs: RabbitmqPrograms,
        folder: Path,
        *,
        certificate: Path | None = None,
        with_metrics: bool = False,
        with_management: bool = False,
    ) -> None:
        """`with_metrics`: it serves its metrics for Prometheus at `metrics_port`; `with_management`: its
        management API at `management_url`."""
        super().__init__(programs.origin, folder)
        self.metrics_port = free_ports(1)[0] if with_metrics else None
        self._management_port = free_ports(1)[0] if with_management else None
        self._programs = programs
        self._certificate = certificate
        self._node_name = f"sandbox-{secrets.token_hex(4)}"
        self._take_ports()
        self._epmd: Child | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._amqp_port}/"

    @property
    def management_url(self) -> str:
        """Return the address of the management API."""
        return f"http://127.0.0.1:{self._management_port}"

    @property
    def tls_url(self) -> str:
        """Return the address of the port for TLS."""
        return f"amqps://guest:guest@127.0.0.1:{self._tls_port}/"

    def launch(self) -> None:
        if not self._folder.exists():
            self._write_settings()
        if self._epmd is None or self._epmd.has_ended:
            self._epmd = self._child("epmd", ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"])
        self._process = self._child("rabbitmq", [str(self._programs.server)])

    def alarm(self, *, raised: bool) -> None:
        """Raise or clear the memory alarm, by the node's memory limit; takes two seconds."""
        command = [
            str(self._programs.server.with_name("rabbitmqctl")),
            "set_vm_memory_high_watermark",
            "absolute",
            "1MB" if raised else MEMORY_LIMIT,
        ]
        done = subprocess.run(
            command,
            env=self._environment(),
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=CONTROL_SECONDS,
        )
        if done.returncode != 0:
            raise StartFailed(f"rabbitmqctl ended with status {done.returncode}: {done.stderr.strip()}")

    def remove(self) -> None:
        """Kill the node, since its data is deleted anyway and an orderly stop takes a second."""
        for child in (self._process, self._epmd):
            if child is not None:
                child.kill()
        self._process = self._epmd = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start_elsewhere(self) -> None:
        self.remove()
        self._take_ports()
        self.launch()

    def _refusal(self) -> str | None:
        return amqp_refusal(self.url, self._node_name)

    def _check_running(self) -> None:
        if self._epmd is not None:
            try:
                self._epmd.check_running()
            except StartFailed as failure:  # where its port is taken it logs nothing and ends with status 0
                raise PortTaken(str(failure)) from failure
        super()._check_running()

    def _child(self, name: str, command: list[str]) -> Child:
        log = self._folder / f"{name}.log"
        return Child(name, command, environment=self._environment(), folder=self._folder, log=log)

    def _take_ports(self) -> None:
        self._amqp_port, self._tls_port, self._distribution_port, self._epmd_port = free_ports(4)

    def _tls(self) -> str:
        if self._certificate is None:
            return ""
        file = self._certificate
        return (
            f"listeners.ssl.1 = 127.0.0.1:{self._tls_port}\n"
            f"ssl_options.certfile = {file}\nssl_options.keyfile = {file}\n"
        )

    def _write_settings(self) -> None:
        home = self._folder / "home"
        home.mkdir(parents=True)
        cookie = home / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        plugins = [
            *([] if self.metrics_port is None else ["rabbitmq_prometheus"]),
            *([] if self._management_port is None else ["rabbitmq_management"]),
        ]
        (self._folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self._amqp_port}\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
            f"disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = {MEMORY_LIMIT}\n"
            + self._tls()
            + self._metrics()
            + self._management()
        )

    def _metrics(self) -> str:
        if self.metrics_port is None:
            return ""
        return f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self.metrics_port}\n"

    def _management(self) -> str:
        if self._management_port is None:
            return ""
        return f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self._management_port}\n"

    def _environment(self) -> dict[str, str]:
        base, programs = self._folder, self._programs
        environment = {
            "PATH": f"{programs.erlang_commands}:/usr/bin:/bin",
            "HOME": str(base / "home"),
            "LANG": "C.UTF-8",
            # The start script then execs the node, so that signals and the parent's death reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": f"{self._node_name}@localhost",
            "RABBITMQ_BASE": str(base),
            "RABBITMQ_MNESIA_BASE": str(base / "data"),
            "RABBITMQ_LOG_BASE": str(base / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(base / "none.conf"),
            "RABBITMQ_PID_FILE": str(base / "pid"),
            "RABBITMQ_SCHEMA_DIR": str(base / "schema"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(base / "generated"),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        if programs.libraries:
            environment["LD_LIBRARY_PATH"] = programs.libraries
        return environment


def installed_rabbitmq() -> RabbitmqPrograms:
    """Return the installed RabbitMQ; raise SourceMissing when there is none."""
    erl = shutil.which("erl")
    if not INSTALLED_SERVER.exists() or erl is None:
        raise SourceMissing("RabbitMQ is not installed (apt-get install rabbitmq-server would do)")
    return RabbitmqPrograms("installed", INSTALLED_SERVER, Path(erl).resolve().parent)


def unpacked_rabbitmq() -> RabbitmqPrograms:
    """Return a RabbitMQ unpacked from Debian packages, fetched if need be; raise SourceMissing."""
    folder = complete_folder(cache_folder() / "rabbitmq", _fill)
    return RabbitmqPrograms(
        "unpacked from Debian packages",
        folder / "usr/lib/rabbitmq/bin/rabbitmq-server",
        folder / "usr/lib/erlang/bin",
        library_path(folder),
    )


def _fill(temporary: Path, final: Path) -> None:
    packages = known_packages(f"rabbitmq-server|erlang-({ERLANG_PARTS})")
    if not {"rabbitmq-server", "erlang-base"} <= set(packages):
        raise SourceMissing("apt knows no package rabbitmq-server or erlang-base")
    say(f"unpacking RabbitMQ and Erlang into {final} (55 MB, once) ...")
    unpack(packages, temporary)
    add_missing_libraries(packages, temporary, "usr/lib/erlang/**/*.s[mo]*")
    start_script = temporary / "usr/lib/erlang/bin/erl"
    relocated = start_script.read_text().replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={final}/usr/lib/erlang")
    start_script.write_text(relocated)
