/* Who computes on a device. */
#include "call.h"

static nvmlProcessInfo_t info_of(const struct process *process)
{
    bool is_whole = process->instance == NVML_NO_INSTANCE;
    return (nvmlProcessInfo_t){
        .pid = (unsigned)process->pid,
        .usedGpuMemory = process->used == UNKNOWN ? NVML_VALUE_NOT_AVAILABLE : process->used,
        .gpuInstanceId = process->instance,
        .computeInstanceId = is_whole ? NVML_NO_INSTANCE : 0,
    };
}

/* `count` comes with the room there is, and goes with the number of processes. */
static nvmlReturn_t list(const char *function, nvmlDevice_t device, unsigned *count,
                         nvmlProcessInfo_t *infos)
{
    struct unit unit;
    nvmlReturn_t result = call_device(function, device, &unit);
    if (result)
        return result;
    if (!count || (*count > 0 && !infos))
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!unit.processes_known)
        return NVML_ERROR_NOT_SUPPORTED;
    unsigned room = *count;
    *count = unit.process_count;
    if (room < unit.process_count)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < unit.process_count; i++)
        infos[i] = info_of(&unit.processes[i]);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                                            nvmlProcessInfo_t *infos)
{
    return list(__func__, device, count, infos);
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                            nvmlProcessInfo_t *infos)
{
    return list(__func__, device, count, infos);
}
