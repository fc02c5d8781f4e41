/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton doctor`: what is stuck, and what to do about it; exit status 1 when anything is. */
#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/doctor.rpc.h"
#include "verbs.h"

#define NO_WORKER_MS_DEFAULT 60000
#define NO_WORKER_MS_MAX (INT64_C(31) * 24 * 3600 * 1000)

struct doctor_settings {
    int64_t no_worker_ms;
};

static const struct option doctor_options[] = {
    {"no-worker-for", 0, OPTION_DURATION, offsetof(struct doctor_settings, no_worker_ms),
     "DURATION", "how long tasks may wait for a worker (60s)", 0, NO_WORKER_MS_MAX,
     NO_WORKER_MS_DEFAULT},
};

static void print_finding(const Plankton__V1__Finding *finding, struct arena *arena)
{
    const char *kind =
        enum_word(&plankton__v1__finding_kind__descriptor, (int)finding->kind, arena);

    printf("%s %s: %s", kind, finding->subject, finding->message);
    if (finding->count)
        printf(" (%lld)", (long long)finding->count);
    if (finding->since)
        printf(", since %s", time_relative(finding->since, clock_unix_us(), arena));
    printf("\n    %s\n", finding->mend);
}

static int doctor(struct invocation *in)
{
    const struct doctor_settings *settings = in->settings;
    Plankton__V1__DiagnoseRequest request = PLANKTON__V1__DIAGNOSE_REQUEST__INIT;
    Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Diagnosis *diagnosis;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    wait.seconds = settings->no_worker_ms / 1000;
    wait.nanos = (int32_t)(settings->no_worker_ms % 1000) * 1000000;
    request.no_worker_for = &wait;
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, doctor_diagnose, &request, &diagnosis, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        output_message(&diagnosis->base);
    for (size_t i = 0; !in->json && i < diagnosis->n_findings; i++)
        print_finding(diagnosis->findings[i], in->arena);
    if (!in->json && !diagnosis->n_findings)
        printf("nothing is stuck\n");
    return diagnosis->n_findings ? 1 : 0;
}

int verb_doctor(int argc, char **argv)
{
    static const struct command commands[] = {
        {.summary = "say what is stuck, and what to do about it",
         .options = doctor_options,
         .option_count = ARRAY_LEN(doctor_options),
         .settings_bytes = sizeof(struct doctor_settings),
         .run = doctor},
    };
    static const struct noun noun = {
        .name = "doctor", .commands = commands, .command_count = ARRAY_LEN(commands)};

    return noun_run(&noun, argc, argv);
}
