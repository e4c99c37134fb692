/* What the C tests share: a failed check is told and counted, and the program goes on. */
#ifndef CHECK_H
#define CHECK_H

#include <oe_process.h>
#include <stdio.h>

static int failures;
#define CHECK(condition) \
    do { if (!(condition)) { failures++; printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); } } while (0)
#define IS(call, status) \
    do { oe_status got_ = (call); if (got_ != (status)) { failures++; \
        printf("%s:%d: %s is %s\n", __FILE__, __LINE__, #call, oe_status_name(got_)); } } while (0)

#endif
