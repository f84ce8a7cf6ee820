/* A closed-loop load over CoAP, to 127.0.0.1 only.
 *
 *     load PORT WARM_UP_MS MEASURE_MS < corpus
 *
 * The corpus holds two datagrams for each source, each behind its length (two octets, big endian): a registration,
 * and a message that is then sent again and again. Both have a token of four octets. In each message sent, Message
 * ID of CoAP, token, and the first 16 hex digits of the Message ID of MSGin5G (found by its placeholder) are new.
 *
 * Every source is a socket of its own and has one message under way, as a constrained client has (NSTART = 1). A
 * Message ID of CoAP would come back within EXCHANGE_LIFETIME after 65,536 messages: a source stops before that.
 * Prints one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_SOURCES 1024
#define LONGEST 1500
#define MOST_LATENCIES 4000000
#define RETRANSMIT_AFTER 2000000000ull
static const char placeholder[] = "00000000-0000-0000-";

struct source {
    int fd, registered, under_way;
    uint32_t sent;
    uint64_t first_at, last_at;
    uint8_t *id;
    int registration_length, length;
    uint8_t registration[LONGEST], datagram[LONGEST];
};

static struct source *sources;
static int count, measuring;
static uint32_t serial, run;
static uint64_t answers, refused, retransmitted;
static uint32_t *latencies;

static uint64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int read_datagram(uint8_t *into) {
    int high = getchar(), low = getchar();
    if (low == EOF) return 0;
    int length = high << 8 | low;
    if (length > LONGEST || fread(into, 1, length, stdin) != (size_t)length) fail("corpus cut off");
    return length;
}

static void read_corpus(int port, int poll) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (; count < MOST_SOURCES; count++) {
        struct source *s = &sources[count];
        if (!(s->registration_length = read_datagram(s->registration))) break;
        s->length = read_datagram(s->datagram);
        s->id = memmem(s->datagram, s->length, placeholder, sizeof placeholder - 1);
        if (!s->id) fail("no placeholder in the message");
        s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (s->fd < 0 || connect(s->fd, (void *)&to, sizeof to)) fail("socket");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
        epoll_ctl(poll, EPOLL_CTL_ADD, s->fd, &event);
    }
}

static void transmit(struct source *s, uint64_t now) {
    uint8_t *datagram = s->registered ? s->datagram : s->registration;
    int length = s->registered ? s->length : s->registration_length;
    s->last_at = now;
    if (send(s->fd, datagram, length, 0) < 0 && errno != EAGAIN) fail("send");
}

static void next_message(struct source *s, uint64_t now) {
    if (s->sent >= 65000) return;
    char digits[20];
    uint16_t mid = s->sent++;
    uint32_t token = htonl(++serial);
    s->datagram[2] = mid >> 8;
    s->datagram[3] = mid;
    memcpy(s->datagram + 4, &token, 4);
    snprintf(digits, sizeof digits, "%08x-%04x-%04x", serial, run >> 16, run & 0xffff);
    memcpy(s->id, digits, 18);
    s->under_way = 1;
    s->first_at = now;
    transmit(s, now);
}

static void receive(struct source *s) {
    uint8_t answer[LONGEST];
    int length;
    while ((length = recv(s->fd, answer, sizeof answer, 0)) >= 0) {
        uint8_t *expected = s->registered ? s->datagram : s->registration;
        if (length < 8 || !s->under_way || memcmp(answer + 2, expected + 2, 6)) continue;
        uint64_t now = clock_ns();
        if (answer[1] >> 5 != 2) refused++;
        if (!s->registered) {
            if (refused) fail("registration refused");
            s->registered = 1;
            s->under_way = 0;
            continue;
        }
        if (measuring) {
            if (answers < MOST_LATENCIES) latencies[answers] = (now - s->first_at) / 1000;
            answers++;
        }
        next_message(s, now);
    }
}

static void turn(int poll) {
    struct epoll_event events[256];
    static uint64_t looked_at;
    int ready = epoll_wait(poll, events, 256, 20);
    for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
    uint64_t now = clock_ns();
    if (now - looked_at < 100000000ull) return;
    looked_at = now;
    for (struct source *s = sources; s < sources + count; s++)
        if (s->under_way && now - s->last_at > RETRANSMIT_AFTER) {
            retransmitted++;
            transmit(s, now);
        }
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "load PORT WARM_UP_MS MEASURE_MS < corpus\n"), 2;
    int poll = epoll_create1(0);
    sources = calloc(MOST_SOURCES, sizeof *sources);
    latencies = malloc(MOST_LATENCIES * sizeof *latencies);
    run = clock_ns() >> 20;
    read_corpus(atoi(argv[1]), poll);

    uint64_t give_up = clock_ns() + 20000000000ull;
    /* One at a time: a crowd's first datagrams are not what is measured. */
    for (struct source *s = sources; s < sources + count; s++) {
        s->under_way = 1;
        transmit(s, clock_ns());
        while (!s->registered) {
            if (clock_ns() > give_up) fail("no answer to the registration");
            turn(poll);
        }
    }
    for (struct source *s = sources; s < sources + count; s++) next_message(s, clock_ns());
    uint64_t begin = clock_ns() + atoi(argv[2]) * 1000000ull;
    while (clock_ns() < begin) turn(poll);
    measuring = 1;
    double cpu = cpu_seconds();
    uint64_t since = clock_ns(), end = since + atoi(argv[3]) * 1000000ull;
    while (clock_ns() < end) turn(poll);
    double seconds = (clock_ns() - since) / 1e9;
    cpu = cpu_seconds() - cpu;

    uint64_t kept = answers < MOST_LATENCIES ? answers : MOST_LATENCIES;
    qsort(latencies, kept, sizeof *latencies, ascending);
    printf("{\"seconds\": %.3f, \"answers\": %lu, \"refused\": %lu, \"retransmitted\": %lu, \"busy\": %.3f, "
           "\"p50_us\": %u, \"p99_us\": %u}\n",
           seconds, answers, refused, retransmitted, cpu / seconds,
           kept ? latencies[kept / 2] : 0, kept ? latencies[kept * 99 / 100] : 0);
    return 0;
}
