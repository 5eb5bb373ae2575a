/* GPUs that are divided into MIG devices. */
#include <string.h>

#include "call.h"

struct mig_place {
    const char *gpu_uuid;
    unsigned index;
};

static bool is_mig_at(const struct unit *unit, const void *wanted)
{
    const struct mig_place *place = wanted;
    return unit->is_mig && unit->index == place->index
        && strcmp(unit->gpu_uuid, place->gpu_uuid) == 0;
}

/* A GPU has MIG mode switched on when it has MIG devices. */
EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (!current || !pending)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!unit.mig_known)
        return NVML_ERROR_NOT_SUPPORTED;
    *current = *pending = unit.mig_count > 0;
    return NVML_SUCCESS;
}

/* How many there can be, not how many there are. */
EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_number(unit.mig_count > 0 ? NVML_MAX_MIG_DEVICES : 0, count);
}

EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index,
                                                        nvmlDevice_t *mig_device)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (!mig_device || unit.is_mig)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!unit.mig_known)
        return NVML_ERROR_NOT_SUPPORTED;
    struct mig_place place = {.gpu_uuid = unit.gpu_uuid, .index = index};
    struct unit mig;
    result = call_search(__func__, is_mig_at, &place, NVML_ERROR_NOT_FOUND, &mig);
    return result ? result : call_handle(mig.uuid, mig_device);
}

EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig_device,
                                                                 nvmlDevice_t *device)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, mig_device, &unit);
    if (result)
        return result;
    if (!device || !unit.is_mig)
        return NVML_ERROR_INVALID_ARGUMENT;
    return call_handle(unit.gpu_uuid, device);
}

EXPORT nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned *is_mig)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_number(unit.is_mig, is_mig);
}

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *id)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_number(unit.is_mig ? unit.index + 1 : UNKNOWN, id);
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned *id)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_number(unit.is_mig ? 0 : UNKNOWN, id);
}
