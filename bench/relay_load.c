/* Devices and what is upstream of a relay, in one process: python -m bench relay compiles and runs it.
 *
 *   relay_load RELAY_PORT PROCESS WAIT_FOR_REGISTRATION WARM_UP_S MEASURE_S CORPUS   (on standard input, one line)
 *
 * It prints the port of its upstream, then waits for that line. Upstream, every CON POST is acknowledged with 2.04, and
 * with 2.01 when it registers somebody. Each message has a serial number of eight hexadecimal digits behind a '#' in its
 * payload: so it is known how many arrived upstream, and which of them twice.
 *
 * The corpus has the datagrams of all devices, finished, in the order in which each sends its own: the number of the
 * device and the length (two octets each, little endian), then the datagram. The first of each is its registration. A
 * device is a socket with one message under way (NSTART = 1): the next goes out when the last is acknowledged. Tokens
 * have four octets. Nothing but 127.0.0.1 is spoken to. Prints one JSON object. */
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

enum { MOST_DEVICES = 4096, RETRANSMIT_MS = 2000, DRAIN_S = 20, MOST_SERIALS = 1 << 24 };

typedef struct {
  int fd, busy;
  uint8_t **datagrams;
  int *sizes, count, room, next;
  uint64_t first_sent, last_sent;
} device_t;

static device_t devices[MOST_DEVICES];
static int device_count, upstream, poll_fd, sending;
static uint8_t *arrived;
static long registrations_upstream, arrived_upstream, twice_upstream, acknowledged, refused, retransmitted, requests_upstream;
static uint32_t *latencies;
static long latency_count, latency_room = 1 << 22;
static char exhausted;

static uint64_t microseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void fail(const char *what) { perror(what); exit(2); }

static int udp(struct sockaddr_in *to, int bind_it) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), octets = 1 << 22;
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
  if ((bind_it ? bind : connect)(fd, (void *)to, sizeof *to)) fail("bind or connect");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void watch(int fd, void *whom) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = whom};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* -- upstream */

static void count(const uint8_t *data, int size) {
  for (int at = 0; at + 9 <= size; at++) {
    const uint8_t *found = memchr(data + at, '#', size - at);
    if (!found) return;
    at = found - data;
    char digits[9] = {0}, *end;
    if (at + 9 > size) return;
    memcpy(digits, found + 1, 8);
    unsigned long serial = strtoul(digits, &end, 16);
    if (*end || serial >= MOST_SERIALS) continue;
    if (arrived[serial]) twice_upstream++;
    else arrived_upstream++;
    arrived[serial] = 1;
  }
}

static void on_upstream(void) {
  uint8_t data[65536], answer[16];
  struct sockaddr_in from;
  for (;;) {
    socklen_t length = sizeof from;
    int size = recvfrom(upstream, data, sizeof data, 0, (void *)&from, &length);
    if (size < 0) return;
    if (size < 4 || (data[0] & 0x30) || data[1] == 0) continue;       /* no CON, or empty */
    int token = data[0] & 15;
    int registers = memmem(data, size, "\"REG\"", 5) != NULL;
    answer[0] = 0x60 | token;
    answer[1] = registers ? 0x41 : 0x44;
    memcpy(answer + 2, data + 2, 2 + token);
    if (sendto(upstream, answer, 4 + token, 0, (void *)&from, length) < 0) fail("upstream");
    requests_upstream++;
    registrations_upstream += registers;
    count(data, size);
  }
}

/* -- devices */

static void transmit(device_t *one) {
  one->last_sent = microseconds();
  if (send(one->fd, one->datagrams[one->next], one->sizes[one->next], 0) < 0 && errno != EAGAIN && errno != ECONNREFUSED)
    fail("send");
}

static void start_next(device_t *one) {
  one->busy = 0;
  if (!sending) return;
  if (one->next == one->count) { exhausted = 1; return; }
  one->busy = 1;
  transmit(one);
  one->first_sent = one->last_sent;
}

static void on_device(device_t *one) {
  uint8_t data[65536];
  int size;
  while ((size = recv(one->fd, data, sizeof data, 0)) >= 0) {
    const uint8_t *asked = one->datagrams[one->next];
    if (size < 4) continue;
    if ((data[0] >> 4 & 3) == 0) {                                     /* a CON: acknowledged, whatever it is */
      uint8_t empty[4] = {0x60, 0, data[2], data[3]};
      if (send(one->fd, empty, 4, 0) < 0 && errno != EAGAIN) fail("acknowledge");
    }
    if (!one->busy || size < 8 || (data[0] & 15) != 4 || memcmp(data + 4, asked + 4, 4)) continue;
    if (data[1] >> 5 != 2) refused++;
    if (one->next) {
      acknowledged++;
      if (latency_count < latency_room) latencies[latency_count++] = microseconds() - one->first_sent;
    }
    one->next++;
    one->busy = 0;
    if (one->next > 1) start_next(one);
  }
}

/* -- the run */

static void run_for(uint64_t until, int (*over)(void)) {
  struct epoll_event events[256];
  uint64_t looked = microseconds(), now;
  while ((now = microseconds()) < until && !(over && over())) {
    int found = epoll_wait(poll_fd, events, 256, 5);
    for (int i = 0; i < found; i++)
      if (events[i].data.ptr) on_device(events[i].data.ptr);
      else on_upstream();
    if (now - looked < 100000) continue;
    looked = now;
    for (device_t *one = devices; one < devices + device_count; one++)
      if (one->busy && now > one->last_sent + RETRANSMIT_MS * 1000ull) { retransmitted++; transmit(one); }
  }
}

static int gateway_is_there(void) { return registrations_upstream > 0; }
static int all_idle(void) {
  for (device_t *one = devices; one < devices + device_count; one++) if (one->busy) return 0;
  return 1;
}
static int nothing_left(void) { return all_idle() && arrived_upstream >= acknowledged; }

static double cpu_of(int process) {
  char path[64], line[1024], *at;
  unsigned long long user = 0, kernel = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", process);
  FILE *file = fopen(path, "r");
  if (!file || !fgets(line, sizeof line, file)) return 0;
  fclose(file);
  at = strrchr(line, ')');
  if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &kernel) != 2) return 0;
  return (double)(user + kernel) / sysconf(_SC_CLK_TCK);
}

static double own_cpu(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void read_corpus(const char *path, struct sockaddr_in *relay) {
  FILE *file = fopen(path, "rb");
  uint8_t head[4];
  if (!file) fail(path);
  while (fread(head, 1, 4, file) == 4) {
    int number = head[0] | head[1] << 8, size = head[2] | head[3] << 8;
    if (number >= MOST_DEVICES) exit(2);
    device_t *one = devices + number;
    if (one->count == one->room) {
      one->room = one->room ? 2 * one->room : 256;
      one->datagrams = realloc(one->datagrams, one->room * sizeof *one->datagrams);
      one->sizes = realloc(one->sizes, one->room * sizeof *one->sizes);
    }
    one->datagrams[one->count] = malloc(size);
    one->sizes[one->count] = size;
    if (fread(one->datagrams[one->count++], 1, size, file) != (size_t)size) fail(path);
    if (number >= device_count) device_count = number + 1;
  }
  fclose(file);
  for (device_t *one = devices; one < devices + device_count; one++) watch(one->fd = udp(relay, 0), one);
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b;
  return x < y ? -1 : x > y;
}

int main(void) {
  struct sockaddr_in relay = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, own = relay;
  socklen_t length = sizeof own;
  int port, process, wait_for_gateway;
  double warm_up, measured;
  char corpus[4096];
  arrived = calloc(MOST_SERIALS, 1);
  latencies = malloc(latency_room * sizeof *latencies);
  poll_fd = epoll_create1(0);
  upstream = udp(&own, 1);
  getsockname(upstream, (void *)&own, &length);
  watch(upstream, NULL);
  printf("%d\n", ntohs(own.sin_port));
  fflush(stdout);
  if (scanf("%d %d %d %lf %lf %4095s", &port, &process, &wait_for_gateway, &warm_up, &measured, corpus) != 6) return 2;
  relay.sin_port = htons(port);
  read_corpus(corpus, &relay);
  if (wait_for_gateway) run_for(microseconds() + 20000000, gateway_is_there);
  for (device_t *one = devices; one < devices + device_count; one++) { one->busy = 1; transmit(one); }
  run_for(microseconds() + 20000000, all_idle);
  if (!all_idle() || refused) { fprintf(stderr, "not all devices were registered\n"); return 3; }
  sending = 1;
  for (device_t *one = devices; one < devices + device_count; one++) start_next(one);
  run_for(microseconds() + warm_up * 1e6, NULL);
  long acknowledged_before = acknowledged, arrived_before = arrived_upstream, requests_before = requests_upstream;
  uint64_t begin = microseconds();
  double used = cpu_of(process), own_used = own_cpu();
  latency_count = 0;
  retransmitted = 0;
  run_for(begin + measured * 1e6, NULL);
  double seconds = (microseconds() - begin) / 1e6;
  used = cpu_of(process) - used;
  own_used = own_cpu() - own_used;
  long acknowledged_measured = acknowledged - acknowledged_before, arrived_measured = arrived_upstream - arrived_before;
  long backlog = acknowledged - arrived_upstream, requests_measured = requests_upstream - requests_before;
  qsort(latencies, latency_count, sizeof *latencies, ascending);
#define PERCENTILE(n) (latency_count ? latencies[(latency_count - 1) * (n) / 100] / 1000.0 : 0)
  double p50 = PERCENTILE(50), p99 = PERCENTILE(99), longest = PERCENTILE(100);
  sending = 0;
  run_for(microseconds() + DRAIN_S * 1000000ull, nothing_left);
  printf("{\"seconds\": %.3f, \"acknowledged\": %ld, \"relayed\": %ld, \"requests_upstream\": %ld, \"backlog\": %ld, "
         "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"longest_ms\": %.3f, \"retransmitted\": %ld, \"refused\": %ld, "
         "\"exhausted\": %d, \"twice\": %ld, \"acknowledged_in_all\": %ld, \"relayed_in_all\": %ld, \"cpu\": %.2f, "
         "\"busy\": %.3f}\n",
         seconds, acknowledged_measured, arrived_measured, requests_measured, backlog, p50, p99, longest, retransmitted,
         refused, exhausted, twice_upstream, acknowledged, arrived_upstream, used, own_used / seconds);
  return 0;
}
