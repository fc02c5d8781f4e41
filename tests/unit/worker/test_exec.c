/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "exec/internal.h"
#include "exec/spec.h"
#include "exec/tree.h"
#include "suites.h"

static void write_task_file(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof path, "%s/a/task/%s", test_dir(), name);
    FILE *file = fopen(path, "a");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static char *make_attempt(struct arena *arena)
{
    const struct task_user user = {-1, -1};
    char *dir = arena_printf(arena, "%s/a", test_dir());
    struct error err = {0};

    ck_assert_msg(attempt_dir_make(dir, &user, &err) == STATUS_OK, "%s", err.message);
    return dir;
}

START_TEST(a_spec_comes_back_as_it_was_written)
{
    char *argv[] = {"program", "", "a b\n", NULL}, *env[] = {"A=1", "B=", NULL};
    struct exec_spec spec = {.cwd = "/some/where",
                             .uid = 7,
                             .gid = -1,
                             .narrow = true,
                             .files_max = 99,
                             .argv = argv,
                             .env = env};
    struct exec_spec back;
    struct arena arena;

    arena_init(&arena, 0);
    char *path = arena_printf(&arena, "%s/spec", test_dir());
    ck_assert_int_eq(exec_spec_write(path, &spec, NULL), STATUS_OK);
    ck_assert_int_ne(exec_spec_write(path, &spec, NULL), STATUS_OK); /* never over another */
    ck_assert_int_eq(exec_spec_read(path, &arena, &back, NULL), STATUS_OK);
    ck_assert_str_eq(back.cwd, spec.cwd);
    ck_assert_int_eq(back.uid, 7);
    ck_assert_int_eq(back.gid, -1);
    ck_assert(back.narrow);
    ck_assert_uint_eq(back.files_max, 99);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(back.argv[i], argv[i]);
    ck_assert_ptr_null(back.argv[3]);
    ck_assert_str_eq(back.env[1], "B=");
    ck_assert_ptr_null(back.env[2]);
    arena_fini(&arena);
}
END_TEST

START_TEST(progress_is_the_last_whole_line)
{
    struct arena arena;
    char message[64];
    int64_t bytes = 0;
    double progress = -1;

    arena_init(&arena, 0);
    char *dir = make_attempt(&arena);
    ck_assert(!attempt_dir_progress(dir, &bytes, &progress, message, sizeof message));
    write_task_file("progress", "0.25\n0.5\n0.7");
    ck_assert(attempt_dir_progress(dir, &bytes, &progress, message, sizeof message));
    ck_assert_double_eq(progress, 0.5);
    ck_assert(!attempt_dir_progress(dir, &bytes, &progress, message, sizeof message));
    write_task_file("progress", "5\n{\"progress\": 0.9, \"message\": \"nearly\"}\n");
    ck_assert(attempt_dir_progress(dir, &bytes, &progress, message, sizeof message));
    ck_assert_double_eq(progress, 0.9);
    ck_assert_str_eq(message, "nearly");
    write_task_file("progress", "nonsense\n");
    ck_assert(!attempt_dir_progress(dir, &bytes, &progress, message, sizeof message));
    write_task_file("progress", "1.5\n");
    ck_assert(!attempt_dir_progress(dir, &bytes, &progress, message, sizeof message));
    arena_fini(&arena);
}
END_TEST

START_TEST(outputs_are_plain_files_of_json)
{
    struct arena arena;
    struct slice output;
    struct error err = {0};
    char path[256];

    arena_init(&arena, 0);
    char *dir = make_attempt(&arena);
    snprintf(path, sizeof path, "%s/task/output.json", dir);
    ck_assert_int_eq(attempt_dir_output(dir, &arena, &output, &err), 0);
    write_task_file("output.json", "  \n");
    ck_assert_int_eq(attempt_dir_output(dir, &arena, &output, &err), 0);
    write_task_file("output.json", "[1]\n");
    ck_assert_int_eq(attempt_dir_output(dir, &arena, &output, &err), 1);
    ck_assert_str_eq(output.data, "  \n[1]");
    ck_assert_uint_eq(output.len, 6);
    write_task_file("output.json", "[2]");
    ck_assert_int_eq(attempt_dir_output(dir, &arena, &output, &err), -1);
    unlink(path);
    ck_assert_int_eq(symlink("/etc/hostname", path), 0);
    ck_assert_int_eq(attempt_dir_output(dir, &arena, &output, &err), -1);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(attempt_dir_output(dir, &arena, &output, &err), -1);
    arena_fini(&arena);
}
END_TEST

START_TEST(directories_go_with_all_that_is_in_them)
{
    struct arena arena;
    char path[256];

    arena_init(&arena, 0);
    char *dir = make_attempt(&arena);
    snprintf(path, sizeof path, "%s/task/work/closed", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    write_task_file("work/closed/file", "x");
    ck_assert_int_eq(chmod(path, 0), 0);
    snprintf(path, sizeof path, "%s/task/work/link", dir);
    ck_assert_int_eq(symlink("/etc", path), 0);
    attempt_dir_remove(dir);
    ck_assert_int_ne(access(dir, F_OK), 0);
    ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
    arena_fini(&arena);
}
END_TEST

START_TEST(a_tree_is_found_through_sessions_and_double_forks)
{
    int ready[2];
    char c;

    /* This process stands for the root: what is orphaned below it comes to it. */
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() == 0) {
            setsid();
            if (fork() != 0)
                _exit(0);
            if (write(ready[1], "x", 1) != 1)
                _exit(1);
            pause();
        }
        pause();
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    ck_assert_uint_ge(tree_signal(getpid(), SIGKILL), 2);
    close(ready[0]);
    int reaped = 0;
    while (waitpid(-1, NULL, 0) > 0)
        reaped++;
    ck_assert_int_eq(reaped, 3);
    ck_assert_uint_eq(tree_signal(getpid(), 0), 0);
}
END_TEST

TCase *exec_case(void)
{
    TCase *tc = tcase_create("exec");

    tcase_add_checked_fixture(tc, test_dir_make, test_dir_remove);
    tcase_add_test(tc, a_spec_comes_back_as_it_was_written);
    tcase_add_test(tc, progress_is_the_last_whole_line);
    tcase_add_test(tc, outputs_are_plain_files_of_json);
    tcase_add_test(tc, directories_go_with_all_that_is_in_them);
    tcase_add_test(tc, a_tree_is_found_through_sessions_and_double_forks);
    return tc;
}
