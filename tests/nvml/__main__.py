"""`python -m nvml` compiles the stub when needed, and prints the folder that it is in."""

from nvml.library import stub_folder

print(stub_folder())  # noqa: T201  a command prints
