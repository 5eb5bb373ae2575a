/* The state file, as it is now. */
#ifndef STOKER_NVML_FILE_H
#define STOKER_NVML_FILE_H

#include "state.h"

/* The last good state: the file is read at each call, and one that cannot be read or understood
 * changes nothing. NULL as long as there has been none. Not for two threads at once. */
const struct state *file_state(void);

#endif
