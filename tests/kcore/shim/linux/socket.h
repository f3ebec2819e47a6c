/* SPDX-License-Identifier: GPL-2.0-only */
/* The address families that kmod uses, which the kernel does not export. */
#ifndef SHIM_LINUX_SOCKET_H
#define SHIM_LINUX_SOCKET_H

#include_next <linux/socket.h>

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

#endif /* SHIM_LINUX_SOCKET_H */
