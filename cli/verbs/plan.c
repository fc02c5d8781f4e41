/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton plan`: save, list, show, check, run, archive. */
#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/plan_api.rpc.h"
#include "verbs.h"

#define PLAN_SOURCE_BYTES_MAX ((size_t)1024 * 1024)

struct file_settings {
    const char *file, *message;
};

static const struct option apply_options[] = {
    {"file", 'f', OPTION_TEXT, offsetof(struct file_settings, file), "FILE",
     "the plan, YAML or JSON; - is standard input", 0, 0, 0},
    {"message", 'm', OPTION_TEXT, offsetof(struct file_settings, message), "TEXT",
     "what was changed, for the list of versions", 0, 0, 0},
};
static const struct option validate_options[] = {
    {"file", 'f', OPTION_TEXT, offsetof(struct file_settings, file), "FILE",
     "the plan, YAML or JSON; - is standard input", 0, 0, 0},
};

static enum status read_source(const struct invocation *in, const char **ret, struct error *err)
{
    const struct file_settings *settings = in->settings;
    const char *path = settings->file ? settings->file : in->operand_count ? in->operands[0] : NULL;
    struct slice text;

    if (!path)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--file is needed");
    enum status st = file_read(path, PLAN_SOURCE_BYTES_MAX, in->arena, &text, err);
    if (st == STATUS_OK && memchr(text.data, 0, text.len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s holds a NUL byte", path);
    *ret = text.data;
    return st;
}

static const char *file_name(const struct invocation *in)
{
    const struct file_settings *settings = in->settings;
    const char *path = settings->file ? settings->file : in->operands[0];

    return str_eq(path, "-") ? NULL : path;
}

static void print_warnings(char *const *warnings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "warning: %s\n", warnings[i]);
}

static void print_problems(const Plankton__V1__ValidatePlanResponse *response, const char *file)
{
    fprintf(stderr, "plankton: the plan is not valid (PLAN_INVALID)\n");
    for (size_t i = 0; i < response->n_problems; i++) {
        const Plankton__V1__PlanProblem *problem = response->problems[i];
        cli_print_problem(file, problem->field, problem->description,
                          *problem->hint ? problem->hint : NULL, (unsigned)problem->line,
                          (unsigned)problem->column);
    }
}

static enum status validate(struct client *client, const char *source,
                            Plankton__V1__ValidatePlanResponse **ret, struct error *err)
{
    Plankton__V1__ValidatePlanRequest request = PLANKTON__V1__VALIDATE_PLAN_REQUEST__INIT;

    request.source = (char *)source;
    return CLIENT_CALL(client, plan_api_validate_plan, &request, ret, err);
}

static int plan_validate(struct invocation *in)
{
    Plankton__V1__ValidatePlanResponse *response;
    AUTO(client_close) struct client client = {0};
    struct error error = {0};
    const char *source;

    if (read_source(in, &source, &error) != STATUS_OK)
        return command_misused(in, &error);
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = validate(&client, source, &response, &error);
    if (st != STATUS_OK)
        return cli_fail_in(&error, file_name(in));
    if (in->json) {
        output_message(&response->base);
        return response->valid ? 0 : 1;
    }
    print_warnings(response->warnings, response->n_warnings);
    if (!response->valid) {
        print_problems(response, file_name(in));
        return 1;
    }
    printf("the plan is valid\n");
    return 0;
}

/* ---- apply ---- */

struct apply {
    struct client *client;
    const char *source, *message;
    Plankton__V1__Plan *plan; /* as it is saved now */
    const char *outcome;
};

static enum status apply_create(struct apply *apply, struct error *err)
{
    Plankton__V1__CreatePlanRequest request = PLANKTON__V1__CREATE_PLAN_REQUEST__INIT;

    request.source = (char *)apply->source;
    request.message = (char *)(apply->message ? apply->message : "");
    request.request_id = client_request_id(apply->client->arena);
    apply->outcome = "created";
    return CLIENT_CALL(apply->client, plan_api_create_plan, &request, &apply->plan, err);
}

/* The etag makes sure that nobody's change of the meantime is overwritten. */
static enum status apply_update(struct apply *apply, struct error *err)
{
    Plankton__V1__UpdatePlanRequest request = PLANKTON__V1__UPDATE_PLAN_REQUEST__INIT;

    request.id = apply->plan->id;
    request.source = (char *)apply->source;
    request.message = (char *)(apply->message ? apply->message : "");
    request.etag = apply->plan->etag;
    apply->outcome = "updated";
    return CLIENT_CALL(apply->client, plan_api_update_plan, &request, &apply->plan, err);
}

static enum status apply_named(struct apply *apply, const char *name, struct error *err)
{
    Plankton__V1__GetPlanRequest request = PLANKTON__V1__GET_PLAN_REQUEST__INIT;

    request.id = (char *)name;
    enum status st = CLIENT_CALL(apply->client, plan_api_get_plan, &request, &apply->plan, err);
    if (st == STATUS_NOT_FOUND)
        return apply_create(apply, err);
    if (st != STATUS_OK)
        return st;
    if (str_eq(apply->plan->source, apply->source)) {
        apply->outcome = "unchanged";
        return STATUS_OK;
    }
    return apply_update(apply, err);
}

static const char *document_name(const Plankton__V1__Json *document, struct arena *arena)
{
    AUTO(json_drop) json_t *json = NULL;

    if (!document ||
        json_parse(slice_of(document->text), PLAN_SOURCE_BYTES_MAX, &json, NULL) != STATUS_OK)
        return NULL;
    return arena_strdup(arena, json_string_value(json_object_get(json, "name")));
}

static int plan_apply(struct invocation *in)
{
    const struct file_settings *settings = in->settings;
    AUTO(client_close) struct client client = {0};
    struct apply apply = {.client = &client, .message = settings->message};
    Plankton__V1__ValidatePlanResponse *checked;
    struct error error = {0};

    if (read_source(in, &apply.source, &error) != STATUS_OK)
        return command_misused(in, &error);
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = validate(&client, apply.source, &checked, &error);
    if (st == STATUS_OK && !checked->valid) {
        print_problems(checked, file_name(in));
        return 1;
    }
    if (st == STATUS_OK) {
        const char *name = document_name(checked->document, in->arena);
        st = name ? apply_named(&apply, name, &error) : apply_create(&apply, &error);
    }
    if (st != STATUS_OK)
        return cli_fail_in(&error, file_name(in));
    print_warnings(apply.plan->warnings, apply.plan->n_warnings);
    if (in->json)
        return output_message(&apply.plan->base);
    printf("plan %s version %d %s\n", apply.plan->name, apply.plan->version, apply.outcome);
    return 0;
}

/* ---- list, get, archive ---- */

struct list_settings {
    const char *query;
    bool archived;
    int64_t limit;
};

static const struct option list_options[] = {
    {"search", 's', OPTION_TEXT, offsetof(struct list_settings, query), "TEXT",
     "only plans with this in name or description", 0, 0, 0},
    {"archived", 0, OPTION_FLAG, offsetof(struct list_settings, archived), NULL,
     "the archived ones", 0, 0, 0},
    {"limit", 'n', OPTION_INT, offsetof(struct list_settings, limit), "N", "at most so many (50)",
     1, LIST_MAX, LIST_DEFAULT},
};

static int plan_list(struct invocation *in)
{
    static const char *const HEADINGS[] = {"NAME", "VERSION", "STEPS", "LAST RUN",
                                           "WHEN", "UPDATED", "ID",    "DESCRIPTION"};
    const struct list_settings *settings = in->settings;
    Plankton__V1__ListPlansRequest request = PLANKTON__V1__LIST_PLANS_REQUEST__INIT;
    Plankton__V1__ListPlansResponse *response;
    AUTO(client_close) struct client client = {0};
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.q = (char *)(settings->query ? settings->query : "");
    request.archived = settings->archived;
    if (st == STATUS_OK)
        st =
            CLIENT_LIST(&client, plan_api_list_plans, &request, settings->limit, &response, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&response->base);
    struct table *table = table_new(HEADINGS, ARRAY_LEN(HEADINGS));
    int64_t now = clock_unix_us();
    table_states(table, 3);
    for (size_t i = 0; i < response->n_plans; i++) {
        const Plankton__V1__Plan *plan = response->plans[i];
        const Plankton__V1__RunBrief *last = plan->n_recent_runs ? plan->recent_runs[0] : NULL;
        const char *cells[] = {plan->name,
                               arena_printf(in->arena, "%d", plan->version),
                               arena_printf(in->arena, "%d", plan->step_count),
                               last ? run_state_word(last->state, in->arena) : "",
                               last ? time_relative(last->created_at, now, in->arena) : "",
                               time_relative(plan->updated_at, now, in->arena),
                               plan->id,
                               plan->description};
        table_row(table, cells);
    }
    table_print(table, "no plans");
    return 0;
}

struct get_settings {
    int64_t version;
};

static const struct option get_options[] = {
    {"version", 0, OPTION_INT, offsetof(struct get_settings, version), "N",
     "this version (the newest)", 1, INT32_MAX, 0},
};

static int plan_get(struct invocation *in)
{
    const struct get_settings *settings = in->settings;
    Plankton__V1__GetPlanRequest request = PLANKTON__V1__GET_PLAN_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Plan *plan;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    request.version = (int32_t)settings->version;
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, plan_api_get_plan, &request, &plan, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&plan->base);
    /* the text goes where a file is wanted: plankton plan get NAME > plan.yaml */
    fprintf(stderr, "%s, version %d, saved %s, %d steps, id %s\n", plan->name, plan->version,
            time_relative(plan->updated_at, clock_unix_us(), in->arena), plan->step_count,
            plan->id);
    print_warnings(plan->warnings, plan->n_warnings);
    if (*plan->source)
        printf("%s%s", plan->source, plan->source[strlen(plan->source) - 1] == '\n' ? "" : "\n");
    else if (plan->document)
        output_json_text(plan->document->text, 0);
    return 0;
}

static int plan_archive(struct invocation *in)
{
    Plankton__V1__ArchivePlanRequest request = PLANKTON__V1__ARCHIVE_PLAN_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Plan *plan;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, plan_api_archive_plan, &request, &plan, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&plan->base);
    printf("plan %s is archived\n", plan->name);
    return 0;
}

/* ---- run ---- */

struct start_settings {
    const char *input, *key;
    struct text_list parameters, labels;
    int64_t version;
    bool follow;
};

static const struct option start_options[] = {
    {"input", 'i', OPTION_TEXT, offsetof(struct start_settings, input), "JSON|@FILE",
     "the run's input, an object", 0, 0, 0},
    {"param", 'p', OPTION_LIST, offsetof(struct start_settings, parameters), "NAME=TEXT",
     "one member of the input; NAME:=JSON for other values than text", 0, 0, 0},
    {"label", 'l', OPTION_LIST, offsetof(struct start_settings, labels), "NAME=TEXT",
     "a label of the run", 0, 0, 0},
    {"version", 0, OPTION_INT, offsetof(struct start_settings, version), "N",
     "this version of the plan (the newest)", 1, INT32_MAX, 0},
    {"request-id", 0, OPTION_TEXT, offsetof(struct start_settings, key), "ID",
     "repeating a start with the same id gives the same run", 0, 0, 0},
    {"follow", 'f', OPTION_FLAG, offsetof(struct start_settings, follow), NULL,
     "show the steps until the run is over", 0, 0, 0},
};

static enum status build_start(const struct start_settings *settings, const char *plan,
                               struct arena *arena, ProtobufCMessage **ret, struct error *err)
{
    json_t *json = json_object(), *input = NULL, *labels = NULL;
    enum status st = value_object("--input", settings->input, arena, &input, err);

    for (size_t i = 0; st == STATUS_OK && i < settings->parameters.len; i++)
        st = value_add_pair("--param", settings->parameters.items[i], arena, input, err);
    if (st == STATUS_OK)
        st = value_map("--label", &settings->labels, arena, &labels, err);
    value_set(json, "planId", json_string(plan));
    value_set(json, "input", input);
    value_set(json, "labels", labels);
    value_set(json, "version", json_integer(settings->version));
    value_set(json, "requestId",
              json_string(settings->key ? settings->key : client_request_id(arena)));
    if (st != STATUS_OK) {
        json_decref(json);
        return st;
    }
    return request_from_json(&plankton__v1__start_run_request__descriptor, json, arena, ret, err);
}

static int plan_run(struct invocation *in)
{
    const struct start_settings *settings = in->settings;
    AUTO(client_close) struct client client = {0};
    ProtobufCMessage *request;
    Plankton__V1__Run *run;
    struct error error = {0};

    if (build_start(settings, in->operands[0], in->arena, &request, &error) != STATUS_OK)
        return command_misused(in, &error);
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = client_call(&client, &plankton_v1_plan_api_start_run, request,
                         (ProtobufCMessage **)&run, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (settings->follow)
        return run_follow(&client, run->id, in->json);
    if (in->json)
        return output_message(&run->base);
    printf("%s\n", run->id);
    return 0;
}

int verb_plan(int argc, char **argv)
{
    static const struct command commands[] = {
        {.name = "apply",
         .operands = "-f FILE",
         .summary = "create the plan, or save a new version of it, by its name",
         .options = apply_options,
         .option_count = ARRAY_LEN(apply_options),
         .settings_bytes = sizeof(struct file_settings),
         .operands_max = 1,
         .run = plan_apply},
        {.name = "validate",
         .operands = "-f FILE",
         .summary = "check a plan without saving it",
         .options = validate_options,
         .option_count = ARRAY_LEN(validate_options),
         .settings_bytes = sizeof(struct file_settings),
         .operands_max = 1,
         .run = plan_validate},
        {.name = "list",
         .summary = "list plans, newest first",
         .options = list_options,
         .option_count = ARRAY_LEN(list_options),
         .settings_bytes = sizeof(struct list_settings),
         .run = plan_list},
        {.name = "get",
         .operands = "PLAN",
         .summary = "print a plan as its author wrote it",
         .options = get_options,
         .option_count = ARRAY_LEN(get_options),
         .settings_bytes = sizeof(struct get_settings),
         .operands_min = 1,
         .operands_max = 1,
         .run = plan_get},
        {.name = "run",
         .operands = "PLAN",
         .summary = "start a run; prints its id",
         .options = start_options,
         .option_count = ARRAY_LEN(start_options),
         .settings_bytes = sizeof(struct start_settings),
         .operands_min = 1,
         .operands_max = 1,
         .run = plan_run},
        {.name = "archive",
         .operands = "PLAN",
         .summary = "no new runs from now on; the name is free again",
         .operands_min = 1,
         .operands_max = 1,
         .run = plan_archive},
    };
    static const struct noun noun = {
        .name = "plan", .commands = commands, .command_count = ARRAY_LEN(commands)};

    return noun_run(&noun, argc, argv);
}
