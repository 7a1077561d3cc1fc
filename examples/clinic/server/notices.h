// notices.h - tells patients, by a line in a log.
// Example: clinic, server. Includes: base machine world scope host.
//
// A notice is an untracked action: it leaves at most once, after the commit, and a crash may lose
// it. A real clinic would send mail here.
#ifndef EXAMPLE_CLINIC_NOTICES_H
#define EXAMPLE_CLINIC_NOTICES_H

#include "server/service.h"

// Appends to the file at `path`, in tasks of `scope`, which closes it; before hy_fleet_start.
// Errors of hy_file_open.
hy_err notices_open(hy_scope *scope, hy_fleet *fleet, const char *path, hy_why *why);

#endif
