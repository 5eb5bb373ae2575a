/* What every function of the library does first: see that it is initialised, read the state file
 * again, meet the fault that is in force, and find the device it is about. */
#ifndef STOKER_NVML_CALL_H
#define STOKER_NVML_CALL_H

#include "state.h"

/* What a call is answered from: a copy, so that no call holds a lock while it answers. */
struct machine {
    char driver[JSON_TEXT_SIZE];
    unsigned gpu_count;
};

typedef bool unit_test(const struct unit *unit, const void *wanted);

/* For calls about no device. `function` is always the caller's `__func__`: faults name it. */
nvmlReturn_t call_machine(const char *function, struct machine *machine);

/* For calls that look for a device; `absent` is the answer when there is none such. */
nvmlReturn_t call_search(const char *function, unit_test *is_wanted, const void *wanted,
                         nvmlReturn_t absent, struct unit *unit);

/* For calls about a device that the caller has a handle of. */
nvmlReturn_t call_device(const char *function, nvmlDevice_t device, struct unit *unit);

/* The handle of the device with this uuid: the same one for as long as the process lives. */
nvmlReturn_t call_handle(const char *uuid, nvmlDevice_t *device);

nvmlReturn_t call_init(const char *function);
nvmlReturn_t call_shutdown(const char *function);

/* Copies what the state says, or says that it does not. */
nvmlReturn_t tell_number(uint64_t number, unsigned *into);
nvmlReturn_t tell_text(const char *text, char *into, unsigned size);

#endif
