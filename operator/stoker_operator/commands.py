"""What each command of `stoker` does. The names are those that the command line uses."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from stoker_api.resource import KIND, LLMDeployment
from stoker_operator import VERSION
from stoker_operator.desired import NetworkPolicySettings, Settings, desired
from stoker_operator.documents import to_json, to_yaml
from stoker_operator.errors import StokerError
from stoker_operator.garbage import for_good
from stoker_operator.intake import checked


def render(arguments: argparse.Namespace) -> int:
    """Prints the objects that LLMDeployments stand for; nothing if one of them is invalid."""
    settings = _settings(arguments)
    manifests: list[Any] = []
    for entry in checked(arguments.files):
        if isinstance(entry, LLMDeployment):
            manifests += desired(entry.in_namespace(arguments.namespace), settings)
        else:
            manifests.append(entry.value)
    _print(manifests, arguments.output)
    return 0


def validate(arguments: argparse.Namespace) -> int:
    """Says of every LLMDeployment that it is valid, or else what is wrong."""
    resources = [entry for entry in checked(arguments.files) if isinstance(entry, LLMDeployment)]
    names = ", ".join(resource.metadata.name for resource in resources)
    print(f"{len(resources)} valid: {names}" if resources else f"no {KIND} in these files")
    return 0


def operator(arguments: argparse.Namespace) -> int:
    """Runs the operator until it is told to stop."""
    with for_good():
        from stoker_api import logs  # noqa: PLC0415
        from stoker_operator import running  # noqa: PLC0415 - much, and of use here only
        from stoker_operator.credentials import Access  # noqa: PLC0415
        from stoker_operator.orders import Orders  # noqa: PLC0415

    logs.start(arguments.log_format, arguments.log_level)
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and not arguments.kubeconfig
    reaches = arguments.pod_addresses == "reach" or (in_pod and arguments.pod_addresses == "auto")
    orders = Orders(
        settings=replace(
            _settings(arguments),
            sidecar_cluster_role=arguments.sidecar_cluster_role,
            roll_sidecars=arguments.roll_sidecars,
        ),
        access=Access(arguments.kubeconfig, arguments.context),
        namespaces=tuple(arguments.namespaces),
        lease_namespace=arguments.lease_namespace or os.environ.get("POD_NAMESPACE"),
        reads_sidecars=reaches,
        listen=_address("--listen", arguments.listen),
        page=_address("--page", arguments.page) if arguments.page else None,
        workers=arguments.workers,
    )
    asyncio.run(running.run(orders))
    return 0


def crd(arguments: argparse.Namespace) -> int:
    """Prints the CustomResourceDefinition."""
    from stoker_api.crd import custom_resource_definition  # noqa: PLC0415 - of use here only

    definition = custom_resource_definition()
    _print([definition], arguments.output)
    return 0


def completion(arguments: argparse.Namespace) -> int:
    """Prints a completion script for a shell."""
    import shtab  # noqa: PLC0415 - of use here only

    from stoker_operator.cli import parser  # noqa: PLC0415 - the command line imports this module

    stoker = parser()
    for action in _all_actions(stoker):
        if action.dest == "files":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(stoker, arguments.shell))
    return 0


def version(_: argparse.Namespace) -> int:
    """Prints the version."""
    print(VERSION)
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    return Settings(
        sidecar_image=arguments.sidecar_image or f"localhost/stoker-sidecar:{VERSION}",
        network_policy=_network_policy(arguments) if arguments.network_policy else None,
        pod_monitor=arguments.pod_monitor,
        pod_monitor_labels=tuple(map(_label, arguments.pod_monitor_labels)),
    )


def _network_policy(arguments: argparse.Namespace) -> NetworkPolicySettings:
    return NetworkPolicySettings(arguments.operator_namespace, arguments.monitoring_namespace)


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise StokerError(f"--pod-monitor-label: {text!r} is no NAME=VALUE, such as release=prom")
    return name, value


def _address(flag: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and port.isdecimal() and int(port) < 1 << 16):
        raise StokerError(f"{flag}: {text!r} is no ADDRESS:PORT, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def _print(manifests: list[Any], form: str) -> None:
    sys.stdout.write(to_json(manifests) if form == "json" else to_yaml(manifests))


def _all_actions(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in command._actions:  # noqa: SLF001 - argparse offers no other way to see them
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for child in action.choices.values():
                yield from _all_actions(child)
