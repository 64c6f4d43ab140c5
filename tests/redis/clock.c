// Preloaded into a server whose clock is to be wrong.
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int gettimeofday(struct timeval *now, void *zone) {
  int failed = syscall(SYS_gettimeofday, now, zone);
  now->tv_sec += OFFSET;
  return failed;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += OFFSET;
  return failed;
}

time_t time(time_t *now) {
  struct timeval here;
  gettimeofday(&here, 0);
  if (now) *now = here.tv_sec;
  return here.tv_sec;
}
