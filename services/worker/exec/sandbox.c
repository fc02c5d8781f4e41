/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <grp.h>
#include <linux/close_range.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "exec/sandbox.h"

#define PATH_VARIABLE "PATH="

static void signals_to_default(void)
{
    sigset_t none;

    for (int signum = 1; signum < NSIG; signum++)
        signal(signum,
               SIG_DFL); /* fails for the two that cannot be changed, and the C library's own */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *limit_resources(const struct exec_spec *spec)
{
    const struct rlimit no_core = {0, 0};
    struct rlimit files;

    if (setrlimit(RLIMIT_CORE, &no_core) != 0)
        return "limit of core files";
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return "limit of open files";
    files.rlim_max = MIN_OF(files.rlim_max, (rlim_t)spec->files_max);
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files) == 0 ? NULL : "limit of open files";
}

static const char *drop_user(const struct exec_spec *spec)
{
    gid_t gid = (gid_t)spec->gid;

    if (spec->uid < 0)
        return NULL;
    if (setgroups(1, &gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid((uid_t)spec->uid, (uid_t)spec->uid, (uid_t)spec->uid) != 0)
        return "change of user";
    return NULL;
}

/* exec looks the program up in this process's PATH: it must be the task's. */
static void use_path(const struct exec_spec *spec)
{
    clearenv();
    for (char **variable = spec->env; *variable; variable++) {
        if (strncmp(*variable, PATH_VARIABLE, sizeof PATH_VARIABLE - 1) == 0)
            setenv("PATH", *variable + sizeof PATH_VARIABLE - 1, 1);
    }
}

const char *sandbox_enter(const struct exec_spec *spec, pid_t parent)
{
    const char *what = NULL;

    signals_to_default();
    if (setsid() < 0)
        return "own session";
    umask(022);
    (void)close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    if (spec->narrow)
        what = limit_resources(spec);
    if (!what)
        what = drop_user(spec);
    if (!what && spec->narrow && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        what = "no_new_privs";
    if (what)
        return what;
    /* After the change of user, which clears it. The supervisor may have died before it was set. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return "parent death signal";
    if (getppid() != parent)
        _exit(1);
    if (chdir(spec->cwd) != 0)
        return spec->cwd;
    use_path(spec);
    return NULL;
}

const char *sandbox_have(bool drops_user)
{
    return drops_user ? "session,tree-kill,parent-death,no-new-privs,core-limit,file-limit,user"
                      : "session,tree-kill,parent-death,no-new-privs,core-limit,file-limit";
}

const char *sandbox_missing(bool drops_user)
{
    return drops_user ? "cgroup,landlock,namespaces,seccomp"
                      : "cgroup,landlock,namespaces,seccomp,user";
}
