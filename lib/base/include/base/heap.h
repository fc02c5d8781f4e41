/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H
/* Intrusive binary heap (smallest first by `less`), for timers and ready queues. A node knows its
 * place, so removal is O(log n). */
#include "base/macros.h"

struct heap_node {
    size_t place; /* 1-based; 0 = not in a heap */
};
typedef bool (*heap_less_fn)(const struct heap_node *a, const struct heap_node *b);
struct heap {
    struct heap_node **nodes;
    size_t len, cap;
    heap_less_fn less;
};

void heap_init(struct heap *heap, heap_less_fn less);
void heap_fini(struct heap *heap);
void heap_push(struct heap *heap, struct heap_node *node);
struct heap_node *heap_top(const struct heap *heap);         /* NULL when empty */
void heap_remove(struct heap *heap, struct heap_node *node); /* no-op when not in a heap */
void heap_update(struct heap *heap, struct heap_node *node); /* after its key changed */

#endif
