/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TCP options that a host on the path has to change: the MSS of a SYN, and the
 * timestamp of what has waited. Pure: no skb, lock or allocation.
 *
 * A @th is a TCP header with its options, @len bytes, 20 to 60. Every byte
 * read is inside. Of two options of a kind the first counts, and what stands behind
 * a malformed one is left alone. Checksums are the caller's: both values are known to
 * him, and at an odd offset their bytes stand in the other halves.
 */
#ifndef MBC_OPTION_H
#define MBC_OPTION_H

#include <linux/types.h>

/**
 * mbc_option_at() - is there another option?
 * @options: @len bytes of them
 * @i: offset of the byte behind the one before; set to the option's, if there is one,
 *	which is all there: kind, length, and as many bytes as that says
 */
bool mbc_option_at(const u8 *options, unsigned int len, unsigned int *i);

/**
 * mbc_option_clamp_mss() - lower the MSS option of a SYN
 * @mss: highest value to leave, host byte order
 * @old: set to the former value, host byte order, if it is changed
 *
 * Return: offset in bytes of the changed 16-bit value from @th, 0 if nothing
 * was changed.
 */
unsigned int mbc_option_clamp_mss(u8 *th, unsigned int len, u16 mss, u16 *old);

/**
 * mbc_option_stamp() - TSval of the timestamps option (RFC 7323, section 3)
 * @stamp: set to it, host byte order, when there is one
 *
 * Return: is there one?
 */
bool mbc_option_stamp(const u8 *th, unsigned int len, u32 *stamp);

/**
 * mbc_option_raise_stamp() - make TSval no older than @stamp
 * @stamp: host byte order; serial arithmetic
 * @old: set to the former value, host byte order, if it is changed
 *
 * Return: offset in bytes of the changed 32-bit value from @th, 0 if nothing
 * was changed.
 */
unsigned int mbc_option_raise_stamp(u8 *th, unsigned int len, u32 stamp, u32 *old);

#endif /* MBC_OPTION_H */
