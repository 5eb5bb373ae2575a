#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool json_fail(struct json *json, const char *format, ...)
{
    unsigned line = 1;
    for (const char *at = json->start; at < json->at; at++)
        line += *at == '\n';
    int used = snprintf(json->error, JSON_ERROR_SIZE, "line %u: ", line);

    va_list arguments;
    va_start(arguments, format);
    vsnprintf(json->error + used, (size_t)(JSON_ERROR_SIZE - used), format, arguments);
    va_end(arguments);
    return false;
}

static void skip_space(struct json *json)
{
    while (json->at < json->end && strchr(" \t\r\n", *json->at) && *json->at)
        json->at++;
}

/* Steps over `mark` when it is next. */
static bool took(struct json *json, const char *mark)
{
    size_t length = strlen(mark);
    skip_space(json);
    if ((size_t)(json->end - json->at) < length || memcmp(json->at, mark, length) != 0)
        return false;
    json->at += length;
    return true;
}

static bool expect(struct json *json, const char *mark)
{
    return took(json, mark) || json_fail(json, "expected %s", mark);
}

bool json_document(struct json *json, json_reader *read)
{
    if (!read(json, json->root))
        return false;
    skip_space(json);
    return json->at == json->end || json_fail(json, "expected nothing more");
}

bool json_number(struct json *json, void *into)
{
    uint64_t number = 0;
    skip_space(json);
    const char *first = json->at;
    for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; json->at++) {
        uint64_t digit = (uint64_t)(*json->at - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return json_fail(json, "the number is too large");
        number = number * 10 + digit;
    }
    if (json->at == first || (json->at < json->end && strchr(".eE", *json->at) && *json->at))
        return json_fail(json, "expected a whole number that is not negative");
    memcpy(into, &number, sizeof number);
    return true;
}

/* The character at the cursor, which may be escaped; 0 when it is none that a text may have. */
static char text_character(struct json *json)
{
    char next = *json->at++;
    if (next == '\\' && json->at < json->end) {
        next = *json->at++;
        return strchr("\"\\/", next) ? next : 0;
    }
    return next < ' ' || next > '~' ? 0 : next;
}

bool json_text(struct json *json, void *into)
{
    char *text = into;
    size_t length = 0;
    if (!took(json, "\""))
        return json_fail(json, "expected a text");
    while (json->at < json->end && *json->at != '"') {
        if (length == JSON_TEXT_SIZE - 1)
            return json_fail(json, "the text is longer than %d characters", JSON_TEXT_SIZE - 1);
        text[length] = text_character(json);
        if (text[length++] == 0)
            return json_fail(json, "a text may hold printable ASCII only");
    }
    text[length] = 0;
    return expect(json, "\"");
}

bool json_array(struct json *json, json_reader *read_item, void *into)
{
    if (!expect(json, "["))
        return false;
    if (took(json, "]"))
        return true;
    do {
        if (!read_item(json, into))
            return false;
    } while (took(json, ","));
    return expect(json, "]");
}

static bool fail_for_name(struct json *json, const struct json_field *fields, const char *name)
{
    char known[JSON_ERROR_SIZE / 2] = "";
    for (; fields->name; fields++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", fields->name);
    }
    return json_fail(json, "there is no field \"%s\" here, but %s", name, known);
}

static bool read_member(struct json *json, const struct json_field *fields, void *into)
{
    char name[JSON_TEXT_SIZE];
    if (!json_text(json, name))
        return false;
    const struct json_field *field = fields;
    while (field->name && strcmp(field->name, name) != 0)
        field++;
    if (!field->name)
        return fail_for_name(json, fields, name);
    if (!expect(json, ":"))
        return false;
    return took(json, "null") || field->read(json, (char *)into + field->offset);
}

bool json_object(struct json *json, const struct json_field *fields, void *into)
{
    if (!expect(json, "{"))
        return false;
    if (took(json, "}"))
        return true;
    do {
        if (!read_member(json, fields, into))
            return false;
    } while (took(json, ","));
    return expect(json, "}");
}
