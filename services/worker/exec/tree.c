/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/macros.h"
#include "exec/tree.h"

#define STAT_BYTES 512 /* enough for pid, name, state and parent */

struct tree_process {
    pid_t pid, parent;
    bool below; /* known to descend from the root */
};
struct tree {
    struct tree_process *processes;
    size_t count, cap;
};

/* The parent of a process; -1 when it is gone. The name may hold anything, parentheses too, so the
 * last one ends it. */
static pid_t read_parent(int proc, const char *pid_text)
{
    char path[64], text[STAT_BYTES];
    AUTO(close_fd) int fd = -1;

    snprintf(path, sizeof path, "%.32s/stat", pid_text);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    if (!end || strlen(end) < 5)
        return -1;
    return (pid_t)strtol(end + 4, NULL, 10);
}

static bool tree_read(struct tree *tree)
{
    DIR *proc = opendir("/proc");

    if (!proc)
        return false;
    for (struct dirent *entry; (entry = readdir(proc));) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid_t parent = read_parent(dirfd(proc), entry->d_name);
        if (parent < 0)
            continue;
        if (tree->count == tree->cap) {
            tree->cap = tree->cap ? tree->cap * 2 : 256;
            tree->processes = mem_realloc(tree->processes, tree->cap * sizeof *tree->processes);
        }
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        tree->processes[tree->count++] = (struct tree_process){pid, parent, false};
    }
    closedir(proc);
    return true;
}

static bool tree_is_below(const struct tree *tree, pid_t root, pid_t pid)
{
    if (pid == root)
        return true;
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->processes[i].pid == pid)
            return tree->processes[i].below;
    }
    return false;
}

size_t tree_signal(pid_t root, int signum)
{
    struct tree tree = {0};
    size_t found = 0;

    if (!tree_read(&tree))
        return 0;
    /* Each pass finds one more generation; numbers mostly rise from parent to child, so few are
     * needed. */
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < tree.count; i++) {
            struct tree_process *process = &tree.processes[i];
            if (process->below || process->pid == root ||
                !tree_is_below(&tree, root, process->parent))
                continue;
            process->below = more = true;
            found++;
            kill(process->pid, signum);
        }
    }
    free(tree.processes);
    return found;
}

void tree_children(pid_t root, void (*fn)(pid_t pid, void *userdata), void *userdata)
{
    struct tree tree = {0};

    if (!tree_read(&tree))
        return;
    for (size_t i = 0; i < tree.count; i++) {
        if (tree.processes[i].parent == root)
            fn(tree.processes[i].pid, userdata);
    }
    free(tree.processes);
}
