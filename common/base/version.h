/* version.h: the one place where the version stands. */
#ifndef RINGWARD_VERSION_H
#define RINGWARD_VERSION_H

#define RW_VERSION "0.1.0"

#endif
