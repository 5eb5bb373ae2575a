# ruff: noqa: INP001, S310 - a script, and what it opens is never a file
"""What `helm test` runs in the operator's image: waits until a model is hot, and has it answer.

Arguments: namespace and name of the LLMDeployment, and how many seconds all of it may take.
"""

import json
import ssl
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
API = "https://kubernetes.default.svc/apis/stoker.dev/v1alpha1"


def main(namespace: str, name: str, seconds: str) -> None:
    """Ends with a sentence, and an error where the time is over."""
    deadline = time.monotonic() + float(seconds)
    told = ""
    while True:
        try:
            found = resource(namespace, name)
            reason = hot(found.get("status", {}))
            if not reason:
                sys.stdout.write(f"hot, and it answers: {answer(found)!r}\n")
                return
        except OSError as error:
            reason = f"no answer: {error}"
        if reason != told:
            told = reason
            sys.stdout.write(f"{reason}\n")
            sys.stdout.flush()
        if time.monotonic() > deadline:
            sys.exit(f"{namespace}/{name} has not answered within {seconds} s: {reason}")
        time.sleep(1)


def hot(status: dict[str, Any]) -> str:
    """Why the model is not hot; nothing where it is."""
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    if "Hot" not in conditions:
        return "no operator has looked at it yet"
    condition = conditions["Hot"]
    is_hot = condition["status"] == "True"
    return "" if is_hot else f"{condition['reason']}: {condition['message']}"


def answer(found: dict[str, Any]) -> str:
    """What the model says to a client."""
    question = {"model": found["spec"]["model"], "prompt": "Say a word.", "stream": False}
    body = json.dumps(question | {"options": {"num_predict": 3}}).encode()
    url = f"{found['status']['endpoint']}/api/generate"
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as response:
        return str(json.load(response)["response"])


def resource(namespace: str, name: str) -> dict[str, Any]:
    """The LLMDeployment as it is now."""
    url = f"{API}/namespaces/{namespace}/llmdeployments/{name}"
    token = (ACCOUNT / "token").read_text()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # authorities that kubectl accepts as well
    with urllib.request.urlopen(request, timeout=10, context=context) as response:
        found: dict[str, Any] = json.load(response)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
