/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LIST_H
#define BASE_LIST_H
/* Intrusive doubly linked list with a sentinel head. A node not on a list must be zeroed or
 * list_init'ed; list_remove is idempotent. */
#include "base/macros.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}
static inline bool list_empty(const struct list *head)
{
    return head->next == head || !head->next;
}
static inline bool list_linked(const struct list *node)
{
    return node->next && node->next != node;
}
static inline void list_insert(struct list *prev, struct list *node)
{
    node->next = prev->next;
    node->prev = prev;
    prev->next->prev = node;
    prev->next = node;
}
static inline void list_push(struct list *head, struct list *node) /* at the end */
{
    list_insert(head->prev, node);
}
static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert(head, node);
}
static inline void list_remove(struct list *node)
{
    if (!node->next)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}
#define LIST_ENTRY(ptr, type, member) CONTAINER_OF(ptr, type, member)
#define LIST_FIRST(head, type, member)                                                             \
    (list_empty(head) ? NULL : LIST_ENTRY((head)->next, type, member))
/* Safe against removal of the current entry. */
#define LIST_EACH(head, node)                                                                      \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);              \
         node = node##_next, node##_next = node->next)

#endif
