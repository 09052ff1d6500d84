/*
 * What "asking all shards directly at once" takes: one client, with a connection to each server, sends a query to all of
 * them, waits until every answer has been read to its end, and begins anew.
 *
 *   at_once SECONDS FILE CONNINFO...      prints "tps = N", connecting left out
 *
 * As pgbench -M prepared does it: the query is prepared once and every result is read as a whole.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#define MOST_SERVERS 64

static PGconn *servers[MOST_SERVERS];
static int count;

static void
fail(const char *what, PGconn *server)
{
    fprintf(stderr, "at_once: %s: %s\n", what, server ? PQerrorMessage(server) : strerror(errno));
    exit(1);
}

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static char *
read_file(const char *name)
{
    static char text[65536];
    FILE *file = fopen(name, "r");
    size_t size;

    if (!file)
        fail(name, NULL);
    size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* Takes the results that are there; true when the answer has ended. */
static int
take(PGconn *server)
{
    while (!PQisBusy(server))
    {
        PGresult *result = PQgetResult(server);

        if (!result)
            return 1;
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            fail("query", server);
        PQclear(result);
    }
    return 0;
}

static void
ask_all(void)
{
    struct pollfd waits[MOST_SERVERS];
    int n, left = count;

    for (n = 0; n < count; n++)
    {
        /* A few bytes: sent at once. */
        if (!PQsendQueryPrepared(servers[n], "q", 0, NULL, NULL, NULL, 0))
            fail("send", servers[n]);
        waits[n].fd = PQsocket(servers[n]);
        waits[n].events = POLLIN;
    }
    while (left > 0)
    {
        if (poll(waits, count, -1) < 0)
        {
            if (errno == EINTR)
                continue;
            fail("poll", NULL);
        }
        for (n = 0; n < count; n++)
        {
            if (waits[n].fd < 0 || !waits[n].revents)
                continue;
            if (!PQconsumeInput(servers[n]))
                fail("receive", servers[n]);
            if (take(servers[n]))
            {
                waits[n].fd = -1;
                left--;
            }
        }
    }
}

int
main(int argc, char **argv)
{
    double begin, end;
    long done = 0;
    char *query;

    if (argc < 4 || argc - 3 > MOST_SERVERS)
    {
        fprintf(stderr, "usage: at_once SECONDS FILE CONNINFO...\n");
        return 2;
    }
    query = read_file(argv[2]);
    for (count = 0; count < argc - 3; count++)
    {
        PGresult *result;

        servers[count] = PQconnectdb(argv[3 + count]);
        if (PQstatus(servers[count]) != CONNECTION_OK)
            fail("connect", servers[count]);
        result = PQprepare(servers[count], "q", query, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail("prepare", servers[count]);
        PQclear(result);
    }
    begin = now();
    end = begin + atof(argv[1]);
    do
    {
        ask_all();
        done++;
    } while (now() < end);
    printf("tps = %f\n", done / (now() - begin));
    return 0;
}
