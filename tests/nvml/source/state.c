#include "state.h"

#include <string.h>

#define FIELD(type, member, key, reader) {key, reader, offsetof(type, member)}
#define END {NULL, NULL, 0}

static const struct unit NOTHING_KNOWN = {
    .name = "Stoker Simulated GPU",
    .minor = UNKNOWN,
    .memory_total = UNKNOWN,
    .gpu_percent = UNKNOWN,
    .memory_percent = UNKNOWN,
    .power_milliwatts = UNKNOWN,
    .temperature_celsius = UNKNOWN,
    .ecc_corrected = UNKNOWN,
    .ecc_uncorrected = UNKNOWN,
};

static bool read_memory(struct json *json, void *unit)
{
    static const struct json_field FIELDS[] = {
        FIELD(struct unit, memory_total, "total", json_number),
        FIELD(struct unit, memory_used, "used", json_number),
        FIELD(struct unit, memory_reserved, "reserved", json_number),
        END,
    };
    return json_object(json, FIELDS, unit);
}

static bool read_utilisation(struct json *json, void *unit)
{
    static const struct json_field FIELDS[] = {
        FIELD(struct unit, gpu_percent, "gpu", json_number),
        FIELD(struct unit, memory_percent, "memory", json_number),
        END,
    };
    return json_object(json, FIELDS, unit);
}

static bool read_ecc_errors(struct json *json, void *unit)
{
    static const struct json_field FIELDS[] = {
        FIELD(struct unit, ecc_corrected, "corrected", json_number),
        FIELD(struct unit, ecc_uncorrected, "uncorrected", json_number),
        END,
    };
    return json_object(json, FIELDS, unit);
}

static bool read_process(struct json *json, void *into)
{
    static const struct json_field FIELDS[] = {
        FIELD(struct process, pid, "pid", json_number),
        FIELD(struct process, used, "used", json_number),
        END,
    };
    struct unit *unit = into;
    if (unit->process_count == MAX_PROCESSES)
        return json_fail(json, "more than %d processes on one device", MAX_PROCESSES);
    struct process *process = &unit->processes[unit->process_count++];
    *process = (struct process){.used = UNKNOWN, .instance = NVML_NO_INSTANCE};
    return json_object(json, FIELDS, process);
}

static bool read_processes(struct json *json, void *into)
{
    struct unit *unit = into;
    unit->processes_known = true;
    return json_array(json, read_process, unit);
}

static struct unit *new_unit(struct json *json)
{
    struct state *state = json->root;
    if (state->unit_count == MAX_UNITS) {
        json_fail(json, "more than %d GPUs and MIG devices", MAX_UNITS);
        return NULL;
    }
    struct unit *unit = &state->units[state->unit_count++];
    *unit = NOTHING_KNOWN;
    return unit;
}

static bool read_unit(struct json *json, const struct json_field *fields, struct unit *unit)
{
    if (!json_object(json, fields, unit))
        return false;
    return unit->uuid[0] || json_fail(json, "this device has no \"uuid\"");
}

static bool read_mig_device(struct json *json, void *into)
{
    static const struct json_field FIELDS[] = {
        FIELD(struct unit, uuid, "uuid", json_text),
        FIELD(struct unit, name, "name", json_text),
        {"memory", read_memory, 0},
        {"processes", read_processes, 0},
        END,
    };
    struct unit *gpu = into, *unit = new_unit(json);
    if (!unit)
        return false;
    unit->is_mig = true;
    unit->index = gpu->mig_count++;
    if (unit->index == NVML_MAX_MIG_DEVICES)
        return json_fail(json, "more than %d MIG devices on one GPU", NVML_MAX_MIG_DEVICES);
    return read_unit(json, FIELDS, unit);
}

static bool read_mig_devices(struct json *json, void *into)
{
    struct unit *gpu = into;
    gpu->mig_known = true;
    return json_array(json, read_mig_device, gpu);
}

static bool read_gpu(struct json *json, void *into)
{
    static const struct json_field FIELDS[] = {
        FIELD(struct unit, uuid, "uuid", json_text),
        FIELD(struct unit, name, "name", json_text),
        FIELD(struct unit, minor, "minor", json_number),
        {"memory", read_memory, 0},
        {"utilisation", read_utilisation, 0},
        FIELD(struct unit, power_milliwatts, "power_milliwatts", json_number),
        FIELD(struct unit, temperature_celsius, "temperature_celsius", json_number),
        {"ecc_errors", read_ecc_errors, 0},
        {"processes", read_processes, 0},
        {"mig", read_mig_devices, 0},
        END,
    };
    struct state *state = into;
    struct unit *unit = new_unit(json);
    if (!unit)
        return false;
    unit->index = state->gpu_count++;
    return read_unit(json, FIELDS, unit);
}

static bool read_gpus(struct json *json, void *into)
{
    (void)into;   /* the field's own address; GPUs are entered into the whole state */
    return json_array(json, read_gpu, json->root);
}

static const struct {
    const char *name;
    struct fault fault;
} FAULTS[] = {
    {"no-driver", {.code = NVML_ERROR_DRIVER_NOT_LOADED, .scope = INIT_CALLS}},
    {"gpu-lost", {.code = NVML_ERROR_GPU_IS_LOST, .scope = DEVICE_CALLS}},
    {"unknown-error", {.code = NVML_ERROR_UNKNOWN}},
    {"no-permission", {.code = NVML_ERROR_NO_PERMISSION}},
    {"missing-symbol", {.code = NVML_ERROR_FUNCTION_NOT_FOUND}},
    {"hang", {.code = NVML_ERROR_TIMEOUT, .hangs = true}},
};
enum { FAULT_KINDS = sizeof FAULTS / sizeof *FAULTS };

static bool read_fault(struct json *json, void *into)
{
    (void)into;
    char text[JSON_TEXT_SIZE];
    struct state *state = json->root;
    if (!json_text(json, text))
        return false;
    if (state->fault_count == MAX_FAULTS)
        return json_fail(json, "more than %d faults", MAX_FAULTS);
    char *colon = strchr(text, ':');
    if (colon)
        *colon = 0;
    for (size_t kind = 0; kind < FAULT_KINDS; kind++) {
        if (strcmp(text, FAULTS[kind].name) == 0) {
            struct fault *fault = &state->faults[state->fault_count++];
            *fault = FAULTS[kind].fault;
            if (colon)
                strcpy(fault->target, colon + 1);   /* shorter than `text`, which is as long */
            return true;
        }
    }
    return json_fail(json, "there is no fault \"%s\", but no-driver, gpu-lost, unknown-error, "
                           "no-permission, missing-symbol, hang", text);
}

static bool read_faults(struct json *json, void *into)
{
    return json_array(json, read_fault, into);
}

static bool read_state(struct json *json, void *into)
{
    static const struct json_field FIELDS[] = {
        FIELD(struct state, driver, "driver", json_text),
        FIELD(struct state, hang_seconds, "hang_seconds", json_number),
        FIELD(struct state, units, "devices", read_gpus),
        FIELD(struct state, faults, "faults", read_faults),
        END,
    };
    return json_object(json, FIELDS, into);
}

/* Tells MIG devices which GPU they are on, and the GPU which processes run on them. */
static bool connect_mig_devices(struct state *state, struct json *json)
{
    struct unit *gpu = state->units;
    for (struct unit *unit = gpu; unit < state->units + state->unit_count; unit++) {
        if (!unit->is_mig)
            gpu = unit;
        strcpy(unit->gpu_uuid, gpu->uuid);
        for (unsigned i = 0; unit->is_mig && i < unit->process_count; i++) {
            unit->processes[i].instance = unit->index + 1;
            if (gpu->process_count == MAX_PROCESSES)
                return json_fail(json, "more than %d processes on one GPU", MAX_PROCESSES);
            gpu->processes[gpu->process_count++] = unit->processes[i];
        }
    }
    return true;
}

bool state_read(struct state *state, const char *text, size_t length, char error[JSON_ERROR_SIZE])
{
    struct json json = {.start = text, .at = text, .end = text + length, .root = state};
    *state = (struct state){.driver = "580.159.03", .hang_seconds = 300};
    bool is_read = json_document(&json, read_state) && connect_mig_devices(state, &json);
    if (!is_read)
        strcpy(error, json.error);
    return is_read;
}

static bool is_met(const struct fault *fault, const char *function, bool is_init,
                   const struct unit *unit)
{
    if (fault->scope == INIT_CALLS && !is_init)
        return false;
    if (fault->scope == DEVICE_CALLS && !unit)
        return false;
    if (!fault->target[0] || strcmp(fault->target, function) == 0)
        return true;
    return unit && (strcmp(fault->target, unit->uuid) == 0
                    || strcmp(fault->target, unit->gpu_uuid) == 0);
}

const struct fault *state_fault(const struct state *state, const char *function, bool is_init,
                                const struct unit *unit)
{
    for (unsigned i = 0; i < state->fault_count; i++)
        if (is_met(&state->faults[i], function, is_init, unit))
            return &state->faults[i];
    return NULL;
}
