/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include "base/heap.h"

#define HEAP_CAP_MIN 32u

void heap_init(struct heap *heap, heap_less_fn less)
{
    *heap = (struct heap){.less = less};
}

void heap_fini(struct heap *heap)
{
    free(heap->nodes);
    heap_init(heap, heap->less);
}

static void put(struct heap *heap, size_t place, struct heap_node *node)
{
    heap->nodes[place - 1] = node;
    node->place = place;
}

static void sift_up(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;

    while (place > 1) {
        struct heap_node *parent = heap->nodes[place / 2 - 1];

        if (!heap->less(node, parent))
            break;
        put(heap, place, parent);
        place /= 2;
    }
    put(heap, place, node);
}

static void sift_down(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;

    while (place * 2 <= heap->len) {
        size_t child = place * 2;

        if (child < heap->len && heap->less(heap->nodes[child], heap->nodes[child - 1]))
            child++;
        if (!heap->less(heap->nodes[child - 1], node))
            break;
        put(heap, place, heap->nodes[child - 1]);
        place = child;
    }
    put(heap, place, node);
}

void heap_push(struct heap *heap, struct heap_node *node)
{
    assert(node->place == 0);
    if (heap->len == heap->cap) {
        heap->cap = heap->cap ? heap->cap * 2 : HEAP_CAP_MIN;
        heap->nodes = mem_realloc(heap->nodes, heap->cap * sizeof(struct heap_node *));
    }
    heap->len++;
    put(heap, heap->len, node);
    sift_up(heap, node);
}

struct heap_node *heap_top(const struct heap *heap)
{
    return heap->len ? heap->nodes[0] : NULL;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *last;

    if (node->place == 0)
        return;
    assert(node->place <= heap->len && heap->nodes[node->place - 1] == node);
    last = heap->nodes[heap->len - 1];
    heap->len--;
    if (last != node) {
        put(heap, node->place, last);
        heap_update(heap, last);
    }
    node->place = 0;
}

void heap_update(struct heap *heap, struct heap_node *node)
{
    assert(node->place > 0 && node->place <= heap->len);
    sift_up(heap, node);
    sift_down(heap, node);
}
