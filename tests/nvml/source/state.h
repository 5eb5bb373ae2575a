/* What the simulated machine is like, as its state file says. */
#ifndef STOKER_NVML_STATE_H
#define STOKER_NVML_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "json.h"

enum { MAX_UNITS = 64, MAX_PROCESSES = 64, MAX_FAULTS = 32 };

/* A number that the file does not give, which the GPU then does "not support". */
#define UNKNOWN UINT64_MAX

struct process {
    uint64_t pid, used;
    unsigned instance;             /* of the MIG device it runs on */
};

/* A GPU or one of its MIG devices. */
struct unit {
    char uuid[JSON_TEXT_SIZE], name[JSON_TEXT_SIZE];
    char gpu_uuid[JSON_TEXT_SIZE]; /* its own, or that of the GPU it is a part of */
    bool is_mig;
    bool mig_known;                /* a GPU that has MIG, switched on or not */
    unsigned index;                /* among the GPUs, or among the MIG devices of one */
    unsigned mig_count;
    uint64_t minor;
    uint64_t memory_total, memory_used, memory_reserved;
    uint64_t gpu_percent, memory_percent;
    uint64_t power_milliwatts, temperature_celsius;
    uint64_t ecc_corrected, ecc_uncorrected;
    bool processes_known;
    unsigned process_count;
    struct process processes[MAX_PROCESSES];
};

enum fault_scope { EVERY_CALL, DEVICE_CALLS, INIT_CALLS };

struct fault {
    nvmlReturn_t code;
    enum fault_scope scope;
    bool hangs;                    /* first waits until the fault is cleared */
    char target[JSON_TEXT_SIZE];   /* the function or the uuid it is limited to, or nothing */
};

struct state {
    char driver[JSON_TEXT_SIZE];
    uint64_t hang_seconds;
    unsigned gpu_count, unit_count, fault_count;
    struct unit units[MAX_UNITS];  /* each GPU is followed by its MIG devices */
    struct fault faults[MAX_FAULTS];
};

/* Fills `state` from a state file's text; on false a sentence says what is wrong with it. */
bool state_read(struct state *state, const char *text, size_t length, char error[JSON_ERROR_SIZE]);

/* The fault that a call of `function` meets; `unit` is NULL when the call is about none. */
const struct fault *state_fault(const struct state *state, const char *function, bool is_init,
                                const struct unit *unit);

#endif
