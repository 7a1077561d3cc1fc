// row.hpp - a row: run it so often, and print the line that bench.c prints.
#ifndef HYPHA_BENCH_PEERS_ACTOR_CAF_ROW_HPP
#define HYPHA_BENCH_PEERS_ACTOR_CAF_ROW_HPP

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

// A body does something so many times, and says how many nanoseconds that took, or bytes.
struct row {
    const char *metric, *unit;
    uint64_t times;
    double (*body)(uint64_t times);
};

// HYPHA_PEER_QUICK divides the work, for a look at whether all is well.
inline uint64_t divisor() {
    const char *text = getenv("HYPHA_PEER_QUICK");
    return text == nullptr ? 1 : std::max<uint64_t>(strtoull(text, nullptr, 10), 1);
}

template <class Body> double clocked(Body body) {
    using clock = std::chrono::steady_clock;
    auto since = clock::now();
    body();
    return std::chrono::duration<double, std::nano>(clock::now() - since).count();
}

struct usage {
    double cpu_ms = 0, switches = 0;
};

inline usage used() {
    rusage now{};
    getrusage(RUSAGE_SELF, &now);
    auto ms = [](const timeval &time) { return time.tv_sec * 1e3 + time.tv_usec * 1e-3; };
    return {ms(now.ru_utime) + ms(now.ru_stime), double(now.ru_nvcsw + now.ru_nivcsw)};
}

// Resident memory of this process with its page tables, in bytes.
inline double resident() {
    std::ifstream status("/proc/self/status");
    double sum = 0;
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmRSS:", 0) == 0 || line.rfind("VmPTE:", 0) == 0)
            sum += atof(line.c_str() + sizeof "VmRSS:" - 1) * 1024;
    }
    return sum;
}

inline void print(const row &r, const char *peer, int workers) {
    const std::string unit = r.unit;
    const bool once = unit == "bytes" || divisor() > 1; // freed memory is not given back
    const uint64_t times = std::max<uint64_t>(r.times / divisor(), 1);
    if (!once) r.body(std::max<uint64_t>(times / 10, 1));
    std::vector<double> values(once ? 1 : 5);
    const usage before = used();
    for (double &value : values)
        value = r.body(times) / (unit == "ms" ? 1e6 : double(times));
    const usage after = used();
    std::sort(values.begin(), values.end());
    const double median = values[values.size() / 2], runs = double(values.size());
    printf("{\"bench\":\"actor\",\"metric\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"runs\":%zu,"
           "\"min\":%.6g,\"median\":%.6g,\"max\":%.6g,\"cpu_ms\":%.6g,\"ctx_switches\":%.6g,"
           "\"workers\":%d,\"peer\":\"%s\"}\n",
           r.metric, median, r.unit, values.size(), values.front(), median, values.back(),
           (after.cpu_ms - before.cpu_ms) / runs, (after.switches - before.switches) / runs,
           workers, peer);
    fflush(stdout);
}

#endif
