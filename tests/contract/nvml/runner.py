"""Holds memory of the first GPU, as a runner does, until its standard input ends.

Only the driver's own library is needed: no CUDA toolkit.
"""

import ctypes
import sys

cuda = ctypes.CDLL("libcuda.so.1")


def check(result: int, what: str) -> None:
    if result != 0:
        sys.exit(f"{what} failed with CUDA error {result}")


device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
check(cuda.cuInit(0), "cuInit")
check(cuda.cuDeviceGet(ctypes.byref(device), 0), "cuDeviceGet")
check(cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device), "cuCtxCreate")
check(cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(int(sys.argv[1]))), "cuMemAlloc")
print("holds it", flush=True)  # noqa: T201  to the test that waits for it
sys.stdin.read()
