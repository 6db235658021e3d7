/* sensor_report.h: sends the sensor's messages to its agent as datagrams, and hears the agent's order to load.
 *
 * memory   owns the socket until sensor_report_drop
 * threads  one thread
 * source   docs/protocol.md 10
 */
#ifndef RINGWARD_SENSOR_REPORT_H
#define RINGWARD_SENSOR_REPORT_H

#include "agent/sensor/sensor_scan.h"

#include <sys/un.h>

struct sensor_report {
    int fd; /* -1: nobody listens (stand-alone) */
    struct sockaddr_un to;
};

/* `path` NULL: stand-alone, everything is dropped. Fails with RW_E_RANGE (path too long), RW_E_IO. */
RW_RC sensor_report_open(const char *path, struct sensor_report *out, struct rw_err *err);
/* Each message is addressed anew, so an agent that was restarted gets the next one. From then on the socket has
 * an abstract address, and the kernel takes datagrams for it from that agent's own socket only. Fails with RW_E_IO. */
RW_RC sensor_report_send(const struct sensor_report *r, const struct sensor_message *m,
                         struct rw_err *err);
/* Reads what waits (a bounded number of messages). True: the order to load was among it, however often. */
bool sensor_report_hears_load(const struct sensor_report *r);
/* The text of an error message: printable ASCII, cut to its limit. */
void sensor_report_detail(struct sensor_message *m, const char *text);
/* Fills in what this process has used and counted. */
void sensor_report_stats(const struct sensor_scan *scan, struct sensor_message *m);
void sensor_report_drop(struct sensor_report *r);

#endif
