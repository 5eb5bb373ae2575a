"""A GPU driver library that says what a file says: see docs/nvml-stub.md."""
