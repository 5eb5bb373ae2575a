"""What a start of the operator brings in: it is the larger part of how long a start takes."""

import json
import subprocess
import sys

LEAN = """
import json, sys
import stoker_operator.commands, stoker_operator.running
print(json.dumps([name for name in sys.modules if name.partition(".")[0] == "kubernetes"]))
"""

# Whoever has the client already keeps it, and kopf with it.
BOTH = """
import kubernetes
import stoker_operator.running
from stoker_operator import kubeconfig
from stoker_operator.lean import kopf
import sys
assert sys.modules["kubernetes"] is kubernetes
print(kopf.__name__)
"""

LATER = """
import stoker_operator.running
from stoker_operator import kubeconfig
import kubernetes
print(kubernetes.__name__)
"""


def printed(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_pods_operator_does_without_the_official_client() -> None:
    assert json.loads(printed(LEAN)) == []


def test_it_is_there_for_who_needs_it() -> None:
    assert printed(BOTH) == "kopf"
    assert printed(LATER) == "kubernetes"
