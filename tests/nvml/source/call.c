#include "call.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "file.h"

enum { MAX_HANDLES = 256, HANG_STEP_NANOSECONDS = 2000000 };

/* One call: what it looks for, and where its answer goes. */
struct call {
    const char *function;
    bool is_init;
    unit_test *is_wanted;          /* NULL when the call is about no device */
    const void *wanted;
    nvmlReturn_t absent;
    struct unit *unit;
    struct machine *machine;
};

/* Guards all below, and what file.c keeps. Held for one look at the state, never in a hang. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned init_count;
static char handles[MAX_HANDLES][JSON_TEXT_SIZE];

static const struct unit *find(const struct state *state, const struct call *call)
{
    for (const struct unit *unit = state->units; unit < state->units + state->unit_count; unit++)
        if (call->is_wanted(unit, call->wanted))
            return unit;
    return NULL;
}

static nvmlReturn_t answer(const struct state *state, const struct call *call,
                           const struct unit *unit)
{
    if (call->is_wanted && !unit)
        return call->absent;
    if (unit)
        *call->unit = *unit;
    if (call->machine) {
        strcpy(call->machine->driver, state->driver);
        call->machine->gpu_count = state->gpu_count;
    }
    return NVML_SUCCESS;
}

/* What one look at the state gives. */
struct look {
    nvmlReturn_t result;
    uint64_t hang_seconds;         /* how long to look again before this result counts */
};

static struct look look(const struct call *call)
{
    if (!call->is_init && init_count == 0)
        return (struct look){.result = NVML_ERROR_UNINITIALIZED};
    const struct state *state = file_state();
    if (!state)
        return (struct look){.result = NVML_ERROR_DRIVER_NOT_LOADED};
    const struct unit *unit = call->is_wanted ? find(state, call) : NULL;
    const struct fault *fault = state_fault(state, call->function, call->is_init, unit);
    return (struct look){
        .result = fault ? fault->code : answer(state, call, unit),
        .hang_seconds = fault && fault->hangs ? state->hang_seconds : 0,
    };
}

static uint64_t now_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static nvmlReturn_t make(const struct call *call)
{
    static const struct timespec STEP = {.tv_nsec = HANG_STEP_NANOSECONDS};
    uint64_t start = now_milliseconds();
    for (;;) {
        pthread_mutex_lock(&lock);
        struct look seen = look(call);
        if (call->is_init && seen.result == NVML_SUCCESS)
            init_count++;
        pthread_mutex_unlock(&lock);
        if ((now_milliseconds() - start) / 1000 >= seen.hang_seconds)
            return seen.result;
        nanosleep(&STEP, NULL);
    }
}

nvmlReturn_t call_init(const char *function)
{
    return make(&(struct call){.function = function, .is_init = true});
}

nvmlReturn_t call_shutdown(const char *function)
{
    nvmlReturn_t result = make(&(struct call){.function = function});
    pthread_mutex_lock(&lock);
    if (result == NVML_SUCCESS && init_count > 0)
        init_count--;
    pthread_mutex_unlock(&lock);
    return result;
}

nvmlReturn_t call_machine(const char *function, struct machine *machine)
{
    return make(&(struct call){.function = function, .machine = machine});
}

nvmlReturn_t call_search(const char *function, unit_test *is_wanted, const void *wanted,
                         nvmlReturn_t absent, struct unit *unit)
{
    return make(&(struct call){
        .function = function,
        .is_wanted = is_wanted,
        .wanted = wanted,
        .absent = absent,
        .unit = unit,
    });
}

static bool has_uuid(const struct unit *unit, const void *uuid)
{
    return strcmp(unit->uuid, uuid) == 0;
}

static bool is_handle(nvmlDevice_t device)
{
    const char *at = (const char *)device, *first = handles[0];
    return at >= first && at < first + sizeof handles && (at - first) % JSON_TEXT_SIZE == 0 && *at;
}

nvmlReturn_t call_device(const char *function, nvmlDevice_t device, struct unit *unit)
{
    if (!is_handle(device))
        return call_search(function, has_uuid, "", NVML_ERROR_INVALID_ARGUMENT, unit);
    return call_search(function, has_uuid, device, NVML_ERROR_GPU_IS_LOST, unit);
}

nvmlReturn_t call_handle(const char *uuid, nvmlDevice_t *device)
{
    nvmlReturn_t result = NVML_ERROR_MEMORY;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < MAX_HANDLES && result != NVML_SUCCESS; i++) {
        if (!handles[i][0])
            strcpy(handles[i], uuid);
        if (strcmp(handles[i], uuid) == 0) {
            *device = (nvmlDevice_t)(void *)handles[i];
            result = NVML_SUCCESS;
        }
    }
    pthread_mutex_unlock(&lock);
    return result;
}

nvmlReturn_t tell_number(uint64_t number, unsigned *into)
{
    if (!into)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (number == UNKNOWN)
        return NVML_ERROR_NOT_SUPPORTED;
    *into = (unsigned)number;
    return NVML_SUCCESS;
}

nvmlReturn_t tell_text(const char *text, char *into, unsigned size)
{
    if (!into)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (strlen(text) >= size)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(into, text);
    return NVML_SUCCESS;
}
