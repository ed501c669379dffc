"""Turns a :class:`NodeSpec` into the JVM's configuration file and command line.

The list of JVM flags lives only here. Must not start anything.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ignitetasks.errors import NodeError
from ignitetasks.jvm.java import Java
from ignitetasks.jvm.spec import NodeSpec

MAIN_CLASS = "org.ignitetasks.node.NodeMain"

#: Packages of the JDK that Ignite reaches into by reflection.
_OPENED_PACKAGES = {
    "java.base": (
        "java.io",
        "java.lang",
        "java.lang.invoke",
        "java.lang.reflect",
        "java.math",
        "java.net",
        "java.nio",
        "java.text",
        "java.time",
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "java.util.concurrent.locks",
        "jdk.internal.access",
        "jdk.internal.misc",
        "sun.nio.ch",
        "sun.reflect.generics.reflectiveObjects",
        "sun.util.calendar",
    ),
    "java.desktop": ("java.awt.font",),
    "java.management": ("com.sun.jmx.mbeanserver", "sun.management"),
    "java.sql": ("java.sql",),
    "jdk.internal.jvmstat": ("sun.jvmstat.monitor",),
    "jdk.management": ("com.sun.management.internal",),
}

#: Heap at start: a node at rest stays below it, so it never pays for more.
_START_HEAP_MB = 64


def jvm_flags(spec: NodeSpec, java: Java) -> list[str]:
    """Builds the flags of the JVM itself.

    Args:
        spec: What is started.
        java: With which runtime.

    Returns:
        Arguments to put before ``-cp``.
    """
    flags = [
        # One collector thread and no remembered sets: half of G1's resident size on a heap this small.
        "-XX:+UseSerialGC",
        # The quick compiler only: on few cores the optimising one takes up to 40 % of a young node's CPU for
        # minutes, and gains less than that afterwards, since a task's cost is copying and page access, not loops.
        "-XX:TieredStopAtLevel=1",
        f"-Xms{min(_START_HEAP_MB, spec.heap_mb)}m",
        f"-Xmx{spec.heap_mb}m",
        # A JVM without memory must end, not limp: its work is then taken over.
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={spec.run_dir / 'hs_err_%p.log'}",
        "-XX:-UsePerfData",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
        "-Dfile.encoding=UTF-8",
        # Ignite would ask a server on the internet for newer versions.
        "-DIGNITE_UPDATE_NOTIFIER=false",
        # Twenty wake-ups a second, to log what nobody reads; a pause shows in the leases.
        "-DIGNITE_JVM_PAUSE_DETECTOR_DISABLED=true",
    ]
    flags += [
        f"--add-opens={module}/{package}=ALL-UNNAMED"
        for module, packages in _OPENED_PACKAGES.items()
        for package in packages
    ]
    if java.major >= 23:
        # Ignite's off-heap memory is sun.misc.Unsafe; later runtimes warn and then refuse without this.
        flags.append("--sun-misc-unsafe-memory-access=allow")
    return flags


def java_command(
    spec: NodeSpec,
    java: Java,
    archive: Path | None = None,
    extra: tuple[str, ...] = (),
    class_path: str | None = None,
) -> list[str]:
    """Builds the whole command line.

    Args:
        spec: What is started.
        java: With which runtime.
        archive: Class-data archive to use, or None.
        extra: More JVM flags.
        class_path: Class path for a JVM that sees other files than this process, e.g. in a container; None means
            the jar.

    Returns:
        The command; its configuration file has to be written by :func:`write_config`.

    Raises:
        NodeError: The jar is not there.
    """
    if class_path is None and not spec.jar.is_file():
        raise NodeError(
            f"{spec.jar} is missing: install ignitetasks from its wheel, or run `make jar` in a source checkout",
            "JAR_MISSING",
        )
    shared = [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:cds=off"] if archive else []
    return [
        java.path,
        *jvm_flags(spec, java),
        *shared,
        *extra,
        *spec.extra_args,
        "-cp",
        class_path or str(spec.jar),
        MAIN_CLASS,
        "--config",
        str(spec.config_file),
    ]


def write_config(spec: NodeSpec, version: str) -> None:
    """Writes what the JVM reads at its start, readable by the user only.

    Args:
        spec: What is started.
        version: Version of this package.
    """
    config = {
        "role": spec.role,
        "instance_dir": str(spec.instance_dir),
        "name": spec.name,
        "durability": spec.durability,
        "heap_mb": spec.heap_mb,
        "region_max_mb": spec.region_max_mb,
        "addresses": list(spec.addresses),
        "local_host": spec.local_host,
        "discovery_port": spec.discovery_port,
        "communication_port": spec.communication_port,
        "thin_port": spec.thin_port,
        "gateway_port": spec.gateway_port,
        "backups": spec.backups,
        "namespace": spec.namespace,
        "idle_exit_seconds": spec.idle_exit_seconds,
        "lifeline": spec.lifeline,
        "lane": str(spec.lane_path),
        "version": version,
    }
    temporary = spec.config_file.with_name(f"{spec.config_file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
    temporary.replace(spec.config_file)


def write_arguments_file(command: list[str], path: Path) -> None:
    """Writes a command's arguments as a file for ``java @file``.

    Args:
        command: What :func:`java_command` returned; its first element, the executable, is left out.
        path: The file.
    """
    quoted = (argument.replace("\\", "\\\\").replace('"', '\\"') for argument in command[1:])
    path.write_text("".join(f'"{argument}"\n' for argument in quoted))
