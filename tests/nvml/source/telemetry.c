/* What a device measures of itself. */
#include "call.h"

static uint64_t free_bytes(const struct unit *unit)
{
    uint64_t taken = unit->memory_used + unit->memory_reserved;
    return taken < unit->memory_total ? unit->memory_total - taken : 0;
}

/* What the driver keeps for itself counts as used here, and apart in the second version. */
EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (!memory)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (unit.memory_total == UNKNOWN)
        return NVML_ERROR_NOT_SUPPORTED;
    *memory = (nvmlMemory_t){
        .total = unit.memory_total,
        .free = free_bytes(&unit),
        .used = unit.memory_used + unit.memory_reserved,
    };
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (!memory)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (memory->version != NVML_STRUCT_VERSION(*memory, 2))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (unit.memory_total == UNKNOWN)
        return NVML_ERROR_NOT_SUPPORTED;
    memory->total = unit.memory_total;
    memory->reserved = unit.memory_reserved;
    memory->free = free_bytes(&unit);
    memory->used = unit.memory_used;
    return NVML_SUCCESS;
}

/* A GPU that is divided does not tell how busy it is, nor do its parts. */
EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (!rates)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (unit.mig_count > 0 || unit.gpu_percent == UNKNOWN || unit.memory_percent == UNKNOWN)
        return NVML_ERROR_NOT_SUPPORTED;
    *rates = (nvmlUtilization_t){
        .gpu = (unsigned)unit.gpu_percent,
        .memory = (unsigned)unit.memory_percent,
    };
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_number(unit.power_milliwatts, milliwatts);
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned sensor,
                                             unsigned *celsius)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (sensor != NVML_TEMPERATURE_GPU)
        return NVML_ERROR_INVALID_ARGUMENT;
    return tell_number(unit.temperature_celsius, celsius);
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_v1_t *reading)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (!reading)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (reading->version != NVML_STRUCT_VERSION(*reading, 1))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (reading->sensorType != NVML_TEMPERATURE_GPU)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (unit.temperature_celsius == UNKNOWN)
        return NVML_ERROR_NOT_SUPPORTED;
    reading->temperature = (int)unit.temperature_celsius;
    return NVML_SUCCESS;
}

/* The file gives one number: it answers for the count since boot and for that of all time. */
EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, unsigned type,
                                                unsigned counter, unsigned long long *count)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (type > NVML_MEMORY_ERROR_TYPE_UNCORRECTED || counter > NVML_AGGREGATE_ECC || !count)
        return NVML_ERROR_INVALID_ARGUMENT;
    uint64_t errors = type == NVML_MEMORY_ERROR_TYPE_CORRECTED ? unit.ecc_corrected
                                                               : unit.ecc_uncorrected;
    if (errors == UNKNOWN)
        return NVML_ERROR_NOT_SUPPORTED;
    *count = errors;
    return NVML_SUCCESS;
}
