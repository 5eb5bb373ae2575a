/* The library itself: starting, stopping, versions, error sentences. */
#include <stdio.h>

#include "call.h"

EXPORT nvmlReturn_t nvmlInit_v2(void)
{
    return call_init(__func__);
}

EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    return call_init(__func__);
}

EXPORT nvmlReturn_t nvmlShutdown(void)
{
    return call_shutdown(__func__);
}

EXPORT const char *nvmlErrorString(nvmlReturn_t result)
{
    switch (result) {
    case NVML_SUCCESS: return "Success";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_ERROR_TIMEOUT: return "Timeout";
    case NVML_ERROR_FUNCTION_NOT_FOUND: return "Function Not Found";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_MEMORY: return "Insufficient Memory";
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH: return "Version Mismatch";
    case NVML_ERROR_UNKNOWN: break;
    }
    return "Unknown Error";
}

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned length)
{
    struct machine machine;
    nvmlReturn_t result = call_machine(__func__, &machine);
    return result ? result : tell_text(machine.driver, version, length);
}

/* CUDA's major version before the driver's own, as in "13.580.159.03". */
EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned length)
{
    struct machine machine;
    nvmlReturn_t result = call_machine(__func__, &machine);
    char text[JSON_TEXT_SIZE + 3];
    if (result)
        return result;
    snprintf(text, sizeof text, "13.%s", machine.driver);
    return tell_text(text, version, length);
}

static nvmlReturn_t cuda_version(const char *function, int *version)
{
    struct machine machine;
    nvmlReturn_t result = call_machine(function, &machine);
    if (result)
        return result;
    if (!version)
        return NVML_ERROR_INVALID_ARGUMENT;
    *version = 13000;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
    return cuda_version(__func__, version);
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return cuda_version(__func__, version);
}
