// static_file_test.c - files of a folder: types, tags, and paths that try to leave it.
//
// A secret lies beside the served folder; no way of writing a path may reach it.
#include "net/net_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char files[96]; // folder/www, what is served

static void write_file(const char *name, const char *text) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK(remove(path) == 0);
}

static void files_open(net_fixture *fixture) {
    snprintf(folder, sizeof folder, "/tmp/hypha-files-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(files, sizeof files, "%s/www", folder);
    CHECK(mkdir(files, 0755) == 0);
    char docs[128];
    snprintf(docs, sizeof docs, "%s/docs", files);
    CHECK(mkdir(docs, 0755) == 0);
    write_file("secret.txt", "nobody may read this");
    write_file("www/index.html", "<h1>Clinic</h1>");
    write_file("www/app.js", "'use strict'");
    write_file("www/.hidden", "secret too");
    write_file("www/empty.css", "");
    write_file("www/docs/index.html", "docs");
    net_open(fixture, HY_OPTIONS(hy_server, .files = files), NULL, 0, NULL, 0);
}

static void files_close(net_fixture *fixture) {
    net_close(fixture);
    static const char *names[] = { "secret.txt",    "www/index.html",
                                   "www/app.js",    "www/.hidden",
                                   "www/empty.css", "www/docs/index.html",
                                   "www/docs",      "www" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        remove_file(names[i]);
    }
    CHECK(rmdir(folder) == 0);
}

static hy_err files_are_served_with_their_types(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    files_open(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer = net_ask(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 200);
    CHECK_TEXT(answer.body, "<h1>Clinic</h1>");
    CHECK_TEXT(net_header(&answer, "content-type"), "text/html; charset=utf-8");
    CHECK_TEXT(net_header(&answer, "cache-control"), "no-cache");
    CHECK_TEXT(net_header(&answer, "x-content-type-options"), "nosniff");
    CHECK_TEXT(net_header(&answer, "referrer-policy"), "same-origin");
    CHECK(net_contains(net_header(&answer, "content-security-policy"), "default-src 'self'"));
    CHECK(net_contains(net_header(&answer, "content-security-policy"), "frame-ancestors 'none'"));

    answer = net_ask(&client, "GET /app.js?v=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_TEXT(net_header(&answer, "content-type"), "text/javascript; charset=utf-8");
    answer = net_ask(&client, "GET /%61pp.js HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_TEXT(answer.body, "'use strict'");
    answer = net_ask(&client, "GET /empty.css HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 200);
    CHECK_EQ(answer.body.len, 0);
    answer = net_ask(&client, "GET /docs/ HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_TEXT(answer.body, "docs");
    answer = net_ask(&client, "GET /docs HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ(answer.status, 308);
    CHECK_TEXT(net_header(&answer, "location"), "/docs/");
    net_send_text(&client, "HEAD /app.js HTTP/1.1\r\nHost: x\r\n\r\n");
    answer = net_wait_head(&client);
    CHECK_TEXT(net_header(&answer, "content-length"), "12");
    net_disconnect(&client);
    files_close(&fixture);
    return HY_OK;
}

static hy_err known_files_are_not_sent_again(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    files_open(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    net_answer answer = net_ask(&client, "GET /app.js HTTP/1.1\r\nHost: x\r\n\r\n");
    char text[256];
    snprintf(text, sizeof text,
             "GET /app.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"other\", W/%.*s\r\n\r\n",
             HY_SHOW(net_header(&answer, "etag")));
    net_send_text(&client, text);
    answer = net_wait_head(&client);
    CHECK_EQ(answer.status, 304);
    CHECK(net_header(&answer, "etag").len > 2);
    write_file("www/app.js", "'changed'");
    answer = net_ask(&client, text);
    CHECK_EQ(answer.status, 200);
    CHECK_TEXT(answer.body, "'changed'");
    net_disconnect(&client);
    files_close(&fixture);
    return HY_OK;
}

static hy_err no_path_leaves_the_folder(hy_mem *mem) {
    (void)mem;
    static const char *paths[] = {
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/docs/../../secret.txt",
        "/docs/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/./index.html",
        "/.hidden",
        "/%2ehidden",
        "/docs//index.html",
        "/index.html/",
        "/index.html/x",
        "/nothing.txt",
        "/a%0ab",
    };
    net_fixture fixture;
    files_open(&fixture);
    net_client client;
    net_connect(&fixture, &client);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        net_answer answer = net_ask(&client, text);
        if (answer.status != 404) kit_fail(__FILE__, __LINE__, "%s: %u", paths[i], answer.status);
        CHECK_TEXT(net_header(&answer, "content-type"), "application/json");
    }
    CHECK_EQ(net_ask(&client, "POST /app.js HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
    net_disconnect(&client);
    files_close(&fixture);
    return HY_OK;
}

static hy_err a_reader_that_leaves_harms_nothing(hy_mem *mem) {
    (void)mem;
    net_fixture fixture;
    files_open(&fixture);
    for (int i = 0; i < 50; i++) {
        net_client client;
        net_connect(&fixture, &client);
        net_send_text(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        for (int turn = 0; turn < i % 8; turn++) {
            (void)hy_world_turn(fixture.world);
        }
        net_disconnect(&client);
    }
    NET_UNTIL(&fixture, hy_server_connections(fixture.server) == 0);
    files_close(&fixture);
    return HY_OK;
}

KIT_TESTS(KIT_TEST_ONCE(files_are_served_with_their_types),
          KIT_TEST_ONCE(known_files_are_not_sent_again), KIT_TEST_ONCE(no_path_leaves_the_folder),
          KIT_TEST_ONCE(a_reader_that_leaves_harms_nothing))
