/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_ASM_BYTEORDER_H
#define SHIM_ASM_BYTEORDER_H

#include <linux/types.h>
#include_next <asm/byteorder.h>

#define cpu_to_be16 __cpu_to_be16
#define cpu_to_be32 __cpu_to_be32
#define cpu_to_be64 __cpu_to_be64
#define cpu_to_le64 __cpu_to_le64
#define be16_to_cpu __be16_to_cpu
#define be32_to_cpu __be32_to_cpu
#define le64_to_cpu __le64_to_cpu

#endif /* SHIM_ASM_BYTEORDER_H */
