/* Which devices there are, and how they are told apart. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "call.h"

enum { PCI_TEXT_SIZE = 32, DEVICE_ID = 0x233010DE /* an H100 */ };

/* GPUs sit one on a bus, from bus 1 on. */
static void pci_text(const struct unit *unit, char text[PCI_TEXT_SIZE])
{
    snprintf(text, PCI_TEXT_SIZE, "%08X:%02X:00.0", 0, unit->index + 1);
}

static bool is_gpu_at(const struct unit *unit, const void *index)
{
    return !unit->is_mig && unit->index == *(const unsigned *)index;
}

static bool has_uuid(const struct unit *unit, const void *uuid)
{
    return strcmp(unit->uuid, uuid) == 0;
}

/* The domain may be left out or have four digits, as in "0000:01:00.0". */
static bool is_on_bus(const struct unit *unit, const void *wanted)
{
    char text[PCI_TEXT_SIZE];
    pci_text(unit, text);
    return !unit->is_mig && (strcasecmp(text, wanted) == 0 || strcasecmp(text + 4, wanted) == 0
                             || strcasecmp(text + 9, wanted) == 0);
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count)
{
    struct machine machine;
    nvmlReturn_t result = call_machine(__func__, &machine);
    return result ? result : tell_number(machine.gpu_count, count);
}

static nvmlReturn_t search(const char *function, unit_test *is_wanted, const void *wanted,
                           nvmlReturn_t absent, nvmlDevice_t *device)
{
    struct unit unit;
    if (!wanted || !device)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = call_search(function, is_wanted, wanted, absent, &unit);
    return result ? result : call_handle(unit.uuid, device);
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device)
{
    return search(__func__, is_gpu_at, &index, NVML_ERROR_INVALID_ARGUMENT, device);
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    return search(__func__, has_uuid, uuid, NVML_ERROR_NOT_FOUND, device);
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device)
{
    return search(__func__, is_on_bus, bus_id, NVML_ERROR_NOT_FOUND, device);
}

EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_text(unit.name, name, length);
}

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_text(unit.uuid, uuid, length);
}

EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_number(unit.index, index);
}

EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    return result ? result : tell_number(unit.minor, minor);
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    struct unit unit;
    nvmlReturn_t result = call_device(__func__, device, &unit);
    if (result)
        return result;
    if (!pci)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (unit.is_mig)
        return NVML_ERROR_NOT_SUPPORTED;
    *pci = (nvmlPciInfo_t){.bus = unit.index + 1, .pciDeviceId = DEVICE_ID};
    pci_text(&unit, pci->busId);
    strcpy(pci->busIdLegacy, pci->busId + 4);   /* the older form has a domain of four digits */
    return NVML_SUCCESS;
}
