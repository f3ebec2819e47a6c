/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's own lib/rhashtable.c needs of the rest of the kernel to be
 * compiled in user space, for one thread, in order to be compared with. Stands
 * in for every header that it includes but its own; interrupts are not turned
 * off and on, which favours it.
 */
#ifndef RHASHTABLE_KERNEL_H
#define RHASHTABLE_KERNEL_H

#include <errno.h>
#include <linux/compiler.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/string.h>
#include <stdlib.h>

#define __acquires(x)
#define __releases(x)
#define __release(x) ((void)0)
#define fallthrough __attribute__((__fallthrough__))
#define ____cacheline_aligned_in_smp __aligned(64)
#define EXPORT_SYMBOL_GPL(s)
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

#define BIT(n) (1ul << (n))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define max_t(t, a, b) max((t)(a), (t)(b))
#define PAGE_SHIFT 12
#define PAGE_SIZE (1ul << PAGE_SHIFT)
#define ilog2(n) (63 - __builtin_clzll(n))
#define roundup_pow_of_two(n) \
	((n) < 2 ? 1ul : 1ul << (64 - __builtin_clzl((n) - 1ul)))
#define rounddown_pow_of_two(n) (1ul << ilog2(n))
#define struct_size(p, member, n) \
	(sizeof(*(p)) + (n) * sizeof(*(p)->member))

#define ERR_PTR(e) ((void *)(long)(e))
#define PTR_ERR(p) ((long)(p))
#define ERR_CAST(p) ((void *)(p))
#define IS_ERR(p) ((unsigned long)(p) >= -4095ul)
#define BUG_ON(c) do { if (c) abort(); } while (0)
#define IS_ERR_OR_NULL(p) (!(p) || IS_ERR(p))

/* jhash.h */
static inline u32 rol32(u32 word, unsigned int shift)
{
	return word << shift | word >> (32 - shift);
}

static inline u32 __get_unaligned_cpu32(const void *p)
{
	u32 word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Locks: what can be contended in a kernel is atomic here too. */
typedef struct { int counter; } atomic_t;
typedef struct { int locked; } spinlock_t;
struct mutex { int locked; };
struct lockdep_map { };
struct lock_class_key { };

#define atomic_read(v) READ_ONCE((v)->counter)
#define atomic_set(v, i) WRITE_ONCE((v)->counter, i)
#define atomic_inc(v) __atomic_add_fetch(&(v)->counter, 1, __ATOMIC_SEQ_CST)
#define atomic_dec(v) __atomic_sub_fetch(&(v)->counter, 1, __ATOMIC_SEQ_CST)
#define cmpxchg(p, old, new) __sync_val_compare_and_swap(p, old, new)
#define barrier() __asm__ __volatile__("" : : : "memory")
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)

#define mutex_init(m) ((void)(m))
#define mutex_lock(m) ((void)(m))
#define mutex_unlock(m) ((void)(m))
#define spin_lock_init(l) ((void)(l))
#define spin_lock(l) ((void)(l))
#define spin_unlock(l) ((void)(l))
#define local_irq_save(flags) ((void)((flags) = 0))
#define local_irq_restore(flags) ((void)(flags))
#define preempt_enable() ((void)0)
#define lockdep_init_map(map, name, key, sub) ((void)(map), (void)(key))
#define lockdep_is_held(l) 1
#define lock_map_acquire(map) ((void)(map))
#define lock_map_release(map) ((void)(map))
#define SINGLE_DEPTH_NESTING 1
#define lock_acquire_exclusive(map, s, t, n, i) ((void)(map))
#define cond_resched() ((void)0)

static inline void bit_spin_lock(int bit, unsigned long *word)
{
	while (__atomic_fetch_or(word, BIT(bit), __ATOMIC_ACQUIRE) & BIT(bit))
		;
}

static inline void bit_spin_unlock(int bit, unsigned long *word)
{
	__atomic_fetch_and(word, ~BIT(bit), __ATOMIC_RELEASE);
}

/* RCU: nobody reads while call_rcu() runs, so it need not wait. */
#define rcu_read_lock() ((void)0)
#define rcu_read_unlock() ((void)0)
#define rcu_dereference_check(p, c) rcu_dereference(p)
#define rcu_dereference_raw(p) rcu_dereference(p)
#define rcu_head_init(head) ((head)->func = NULL)
#define rcu_head_after_call_rcu(head, f) ((head)->func == (f))
#define call_rcu(head, f) (f)(head)

/* Lists: nobody walks. */
struct list_head { struct list_head *next, *prev; };

#define LIST_POISON2 NULL
#define INIT_LIST_HEAD(l) ((l)->next = (l)->prev = (l))
#define list_add(entry, l) ((void)(entry), (void)(l))
#define list_del(entry) ((void)(entry))
#define list_for_each_entry(pos, l, member) for (pos = NULL; pos;)

/* Work waits in *work_pending until the caller of the table runs it. */
struct work_struct { void (*func)(struct work_struct *work); };

extern struct work_struct *work_pending;

#define INIT_WORK(w, f) ((w)->func = (f))
#define schedule_work(w) (work_pending = (w))
#define cancel_work_sync(w) ((void)(w), (void)(work_pending = NULL))

/* Memory as the benchmark wants it, zeroed. */
typedef unsigned int gfp_t;

#define GFP_KERNEL 1u
#define GFP_ATOMIC 2u
#define __GFP_ZERO 0u
#define __GFP_NOWARN 0u
#define __GFP_NOFAIL 0u
#define NUMA_NO_NODE (-1)
#define KMALLOC_MAX_SIZE (4ul << 20)	/* what can be had without sleeping */
#define gfpflags_allow_blocking(gfp) ((gfp) & GFP_KERNEL)
#define alloc_hooks(call) (call)
#define alloc_hooks_tag(tag, call) (call)
#define alloc_tag_record(tag) ((void)0)

void *pages_alloc(size_t size);
void pages_free(const void *p);

static inline void *kvmalloc_node_noprof(size_t size, gfp_t gfp, int node)
{
	(void)node;
	if (!gfpflags_allow_blocking(gfp) && size > KMALLOC_MAX_SIZE)
		return NULL;
	return pages_alloc(size);
}

#define kmalloc_noprof(size, gfp) ((void)(gfp), pages_alloc(size))
#define kvfree(p) pages_free(p)
#define kfree(p) pages_free(p)

u32 get_random_u32(void);

#endif /* RHASHTABLE_KERNEL_H */
