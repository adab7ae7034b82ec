/* A ledger restored from an old backup: what peers remember of the node stops it before it says anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/rig.h"

struct story {
    char dir[64];
    struct rig *r;
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    const char *build = getenv("BUILD");
    char program[300];
    strcpy(s->dir, "/tmp/sanquan-copy-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(program, sizeof program, "%s/sanquand", build != NULL ? build : "build/release");
    s->r = rig_new(s->dir, program, 2, NULL);
    *state = s;
    return 0;
}

static void run(const char *format, const char *a, const char *b)
{
    char command[900];
    snprintf(command, sizeof command, format, a, b);
    assert_int_equal(system(command), 0);
}

static int end(void **state)
{
    struct story *s = *state;
    rig_free(s->r);
    run("rm -rf %s%s", s->dir, "");
    free(s);
    return 0;
}

/* A programme is told to every node: one message of node 0 to node 1. */
static void publish(struct story *s)
{
    Sanquan__V1__Programme p;
    char title[] = "told to all";
    sanquan__v1__programme__init(&p);
    p.issuer = 310000;
    p.number = 1;
    p.version = 1;
    p.kind = 1;
    p.title = title;
    p.from_day = 20260101;
    p.until_day = 20991231;
    p.rate_bp = 3000;
    p.base_kind = 1;
    p.pool_fen = 1000000;
    struct sq_client *c = rig_client(s->r, 0, s->r->node[0].issuer, 1);
    rig_say(c, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base);
    sq_client_close(c);
}

/* The other node has it when it knows the programme. */
static void wait_until_told(struct story *s)
{
    struct sq_client *c = rig_client(s->r, 1, s->r->node[1].maker, 1);
    const char *json = "";
    for (int i = 0; i < 200 && strstr(json, "told to all") == NULL; i++) {
        assert_int_equal(sq_client_query(c, "programmes", 5000, &json, NULL), SQ_OK);
        usleep(50000);
    }
    assert_non_null(strstr(json, "told to all"));
    sq_client_close(c);
}

/* rig_start would wait for a node that serves. */
static void start_and_look_away(struct story *s, unsigned node)
{
    struct rig_node *n = &s->r->node[node];
    char log[320];
    snprintf(log, sizeof log, "%s/%s.log", s->dir, n->code);
    n->pid = fork();
    assert_true(n->pid >= 0);
    if (n->pid == 0) {
        if (freopen(log, "a", stderr) == NULL)
            _exit(126);
        execl(s->r->daemon, s->r->daemon, "--config", n->config, (char *)NULL);
        _exit(127);
    }
}

static int exit_code(struct story *s, unsigned node, int patience_ms)
{
    int status = -1;
    pid_t pid = s->r->node[node].pid;
    for (int waited = 0; waited < patience_ms; waited += 50) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            s->r->node[node].pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
        usleep(50000);
    }
    return -1; /* it lives */
}

static void an_old_copy_of_a_ledger_does_not_serve(void **state)
{
    struct story *s = *state;
    rig_start(s->r, 0);
    rig_start(s->r, 1);
    rig_stop(s->r, 0, SIGTERM);
    run("cp -r %s %s.old", s->r->node[0].ledger, s->r->node[0].ledger);
    rig_start(s->r, 0);
    publish(s);
    wait_until_told(s);
    rig_stop(s->r, 0, SIGTERM);
    run("rm -rf %s%s", s->r->node[0].ledger, "");
    run("mv %s.old %s", s->r->node[0].ledger, s->r->node[0].ledger);
    start_and_look_away(s, 0);
    assert_int_equal(exit_code(s, 0, 10000), 2);
    run("grep -q 'it is an old copy' %s/310000.log%s", s->dir, "");
}

static void a_ledger_that_is_as_new_as_its_peers_remember_serves_again(void **state)
{
    struct story *s = *state;
    rig_start(s->r, 0);
    rig_start(s->r, 1);
    publish(s);
    wait_until_told(s);
    rig_stop(s->r, 0, SIGKILL);
    rig_start(s->r, 0);
    assert_int_equal(exit_code(s, 0, 1000), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_old_copy_of_a_ledger_does_not_serve, begin, end),
        cmocka_unit_test_setup_teardown(a_ledger_that_is_as_new_as_its_peers_remember_serves_again, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
