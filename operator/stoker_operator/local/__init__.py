"""`stoker up`: an LLMDeployment on one machine, by the very manifests that a cluster would get."""

LOOPBACK = "127.0.0.1"
