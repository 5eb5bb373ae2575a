"""What LLMDeployments want: read, judged and rendered, and remembered until it is so."""

from collections import OrderedDict
from dataclasses import dataclass

from stoker_api.reading import read
from stoker_api.resource import LLMDeployment
from stoker_operator.desired import Manifest, Settings, desired
from stoker_operator.desired.marks import Running, marked, with_running_sidecar

DEPLOYMENT = "Deployment"

_REMEMBERED = 64
"""Enough for all that are being made at the same time; some ten KiB each."""

Name = tuple[str, str]
"""Kind and name."""


@dataclass(frozen=True)
class Wish:
    """An LLMDeployment, and the objects that it should have."""

    resource: LLMDeployment
    objects: dict[Name, Manifest]


class Wishes:
    """The wishes of late."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: OrderedDict[tuple[bytes, Running | None], Wish] = OrderedDict()

    def wish(self, text: bytes, body: Manifest, live: Manifest | None) -> Wish:
        """What this LLMDeployment wants, whose metadata and spec are `text`.

        InvalidManifestError with all that is wrong with it.
        """
        running = Running.of(live)
        if running and running.sidecar_image == self._settings.sidecar_image:
            running = None  # there is no other image to be kept
        key = (text, running)
        if key not in self._known:
            self._known[key] = self._made(body, running)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def _made(self, body: Manifest, running: Running | None) -> Wish:
        resource, settings = read(body), self._settings
        objects = [
            with_running_sidecar(each, running, resource, settings)
            if each["kind"] == DEPLOYMENT
            else each
            for each in desired(resource, settings)
        ]
        return Wish(resource, {name_of(each): marked(each) for each in objects})


def name_of(manifest: Manifest) -> Name:
    """Kind and name of an object."""
    return manifest["kind"], manifest["metadata"]["name"]
