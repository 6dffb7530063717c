/* System calls that fail on demand, for `LD_PRELOAD`: what a full, broken or forbidding disk does to whoever writes.
 *
 * BEND_SHIM=KIND:BYTES:PATTERN in the environment, read at every call: files whose path matches PATTERN (fnmatch)
 * answer ENOSPC or EIO once BYTES bytes have been written to them, take only a part of what they are given (short),
 * or cannot be opened for writing (EACCES). EIO also comes from fsync. Other files, and everything without the
 * variable, are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long long written; /* to matching files; near enough under threads */

struct fault { char kind[16]; long long bytes; const char *pattern; };

static int armed(struct fault *fault)
{
    const char *text = getenv("BEND_SHIM");
    int length = 0;
    if (!text || sscanf(text, "%15[^:]:%lld:%n", fault->kind, &fault->bytes, &length) != 2 || !length) return 0;
    fault->pattern = text + length;
    return 1;
}

static int concerns(int fd, struct fault *fault)
{
    char link[32], path[PATH_MAX];
    if (fd < 3 || !armed(fault)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return !fnmatch(fault->pattern, path, 0);
}

/* How many of `count` bytes may be written; -1 with errno for none. */
static ssize_t allow(int fd, size_t count)
{
    struct fault fault;
    if (!concerns(fd, &fault)) return (ssize_t)count;
    if (!strcmp(fault.kind, "short")) return count > 1 ? (ssize_t)(count / 2) : (ssize_t)count;
    if (strcmp(fault.kind, "ENOSPC") && strcmp(fault.kind, "EIO")) return (ssize_t)count;
    if (written + (long long)count > fault.bytes) {
        errno = strcmp(fault.kind, "EIO") ? ENOSPC : EIO;
        return -1;
    }
    written += (long long)count;
    return (ssize_t)count;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t count)
{
    ssize_t allowed = allow(fd, count);
    return allowed < 0 ? -1 : REAL(write)(fd, data, (size_t)allowed);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset)
{
    ssize_t allowed = allow(fd, count);
    return allowed < 0 ? -1 : REAL(pwrite)(fd, data, (size_t)allowed, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset)
{
    ssize_t allowed = allow(fd, count);
    return allowed < 0 ? -1 : REAL(pwrite64)(fd, data, (size_t)allowed, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct fault fault;
    if (!concerns(fd, &fault) || count < 1) return REAL(writev)(fd, parts, count);
    return write(fd, parts[0].iov_base, parts[0].iov_len);
}

int fsync(int fd)
{
    struct fault fault;
    if (concerns(fd, &fault) && !strcmp(fault.kind, "EIO")) { errno = EIO; return -1; }
    return REAL(fsync)(fd);
}

static int refuses(const char *path, int flags)
{
    struct fault fault;
    if ((flags & O_ACCMODE) == O_RDONLY || !armed(&fault) || strcmp(fault.kind, "EACCES")) return 0;
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", *path == '/' ? "" : "./", path);
    if (fnmatch(fault.pattern, full, 0)) return 0;
    errno = EACCES;
    return 1;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...)
{
    MODE(flags, flags)
    return refuses(path, flags) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags, flags)
    return refuses(path, flags) ? -1 : REAL(open64)(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    MODE(flags, flags)
    return refuses(path, flags) ? -1 : REAL(openat)(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    MODE(flags, flags)
    return refuses(path, flags) ? -1 : REAL(openat64)(folder, path, flags, mode);
}
