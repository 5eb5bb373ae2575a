/* A JSON reader that fills C structs by tables of fields. Nothing is allocated; what no table
 * names is refused, so that a misspelt field is an error and not a silence. */
#ifndef STOKER_NVML_JSON_H
#define STOKER_NVML_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_TEXT_SIZE = 96, JSON_ERROR_SIZE = 320 };

struct json {
    const char *start, *at, *end;
    void *root;                    /* what the whole document is read into */
    char error[JSON_ERROR_SIZE];   /* a sentence, once a reader has said false */
};

/* Reads one value into `into`; false, with a sentence in `error`, when it is none of its kind. */
typedef bool json_reader(struct json *json, void *into);

struct json_field {
    const char *name;
    json_reader *read;
    size_t offset;                 /* of the value in the struct that the object is read into */
};

/* Reads a whole document: one value and nothing behind it. */
bool json_document(struct json *json, json_reader *read);

/* An object with some of `fields`, which end with an empty one. A null counts as left out. */
bool json_object(struct json *json, const struct json_field *fields, void *into);

bool json_array(struct json *json, json_reader *read_item, void *into);
bool json_number(struct json *json, void *into);   /* a whole number, into a uint64_t */
bool json_text(struct json *json, void *into);     /* ASCII, into a char[JSON_TEXT_SIZE] */

/* Writes the sentence of an error; always false. */
__attribute__((format(printf, 2, 3))) bool json_fail(struct json *json, const char *format, ...);

#endif
